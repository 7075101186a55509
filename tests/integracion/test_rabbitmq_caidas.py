"""RabbitMQ que se para, se calla o corta; consumidores que mueren repartiendo o recibiendo."""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aiormq
import pytest
from aiormq import Channel
from aiormq.abc import AbstractConnection, DeliveredMessage
from tests import servidores
from tests.contratos.banco import cuerpos, mensajes, nada, tomar
from tests.contratos.banco_rabbitmq import VIDA_S, url_de_rabbitmq
from tests.integracion.intermediario import Intermediario
from tests.procesos import RAIZ, Proceso

from seedwork.infraestructura.brokers import Broker, BrokerNoDisponible, Entrega, Suscripcion, conectar
from seedwork.infraestructura.brokers.rabbitmq.mensajes import PRESENTATE, PRESENTE, Informe, a_datos, leer, mandar
from seedwork.infraestructura.brokers.rabbitmq.topologia import Nombres

PLAZO_CLARO_S = 10.0


@pytest.fixture
def nombre() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def directo(nombre: str) -> AsyncIterator[Broker]:
    broker = conectar(f"{url_de_rabbitmq()}?exchange={nombre}")
    yield broker
    await broker.cerrar()


@pytest.fixture
async def intermediario() -> AsyncIterator[Intermediario]:
    async with Intermediario(urlsplit(url_de_rabbitmq()).port or 5672).abierto() as intermediario:
        yield intermediario


@pytest.fixture
async def broker(nombre: str, intermediario: Intermediario) -> AsyncIterator[Broker]:
    """Un broker al otro lado del intermediario."""
    partes = urlsplit(url_de_rabbitmq())
    acceso = partes.netloc.rpartition("@")[0]
    url = urlunsplit(partes._replace(netloc=f"{acceso}@127.0.0.1:{intermediario.puerto}", query=f"exchange={nombre}"))
    broker = conectar(url)
    yield broker
    intermediario.seguir()
    await broker.cerrar()


async def _publica_cuando_puede(broker: Broker, topico: str, cuantos: int, desde: int, plazo_s: float = 40) -> None:
    async with asyncio.timeout(plazo_s):
        while True:
            try:
                await broker.publicar(mensajes(topico, cuantos, desde=desde))
                return
            except BrokerNoDisponible:
                await asyncio.sleep(0.1)


async def _falla_pronto(broker: Broker) -> None:
    empezo = time.monotonic()
    with pytest.raises(BrokerNoDisponible):
        await broker.publicar(mensajes("a", 1))
    with pytest.raises(BrokerNoDisponible):
        await broker.comprobar()
    assert time.monotonic() - empezo < 2 * PLAZO_CLARO_S


async def test_sin_rabbitmq_publicar_y_suscribirse_lo_dicen_pronto(nombre: str) -> None:
    broker = conectar("amqp://guest:guest@127.0.0.1:1/")
    await _falla_pronto(broker)
    with pytest.raises(BrokerNoDisponible):
        await broker.suscribir(nombre, ["a"])
    with pytest.raises(BrokerNoDisponible):
        await broker.leer(["a"])
    await broker.cerrar()


async def test_parado_y_arrancado_a_mitad_no_se_pierde_nada_ni_se_repite_lo_que_se_tenia(
    tmp_path: Path, nombre: str
) -> None:
    url_de_rabbitmq()  # sin RabbitMQ instalado se salta, o falla si se exige
    try:
        broker = conectar(servidores.arrancar("rabbitmq", tmp_path)["TEST_RABBITMQ_URL"])
        suscripcion = await broker.suscribir(nombre, ["a"])
        lector = await broker.leer(["a"])
        await broker.publicar(mensajes("a", 10))
        tenidas = await tomar(suscripcion, 4)
        esperando = asyncio.create_task(tomar(suscripcion, 9, 90))

        await asyncio.to_thread(servidores.parar, "rabbitmq", tmp_path)
        await _falla_pronto(broker)
        await asyncio.to_thread(servidores.arrancar, "rabbitmq", tmp_path)
        await _publica_cuando_puede(broker, "a", 3, desde=10)

        resto = await esperando
        assert [e for e in cuerpos(resto) if int(e) < 10] == ["4", "5", "6", "7", "8", "9"]
        await suscripcion.confirmar([*tenidas, *resto])
        assert await nada(suscripcion, 1.0)
        leidos: list[str] = []
        async with asyncio.timeout(30):
            while len(leidos) < 13:
                leidos += cuerpos(await lector.recibir(20))
        assert leidos == [str(i) for i in range(13)]
        await broker.cerrar()
    finally:
        servidores.parar("rabbitmq", tmp_path, borrar=True)


async def test_callado_publicar_falla_en_su_plazo_y_al_volver_sigue(
    broker: Broker, intermediario: Intermediario, nombre: str
) -> None:
    suscripcion = await broker.suscribir(nombre, ["a"])
    await broker.publicar(mensajes("a", 1))
    await suscripcion.confirmar(await tomar(suscripcion, 1))
    intermediario.callar()

    await _falla_pronto(broker)

    intermediario.seguir()
    await _publica_cuando_puede(broker, "a", 1, desde=7)
    async with asyncio.timeout(60):
        while "7" not in cuerpos(await suscripcion.recibir(10)):
            pass


async def test_callado_cerrar_vuelve_en_un_tiempo_acotado(
    broker: Broker, intermediario: Intermediario, nombre: str
) -> None:
    suscripcion = await broker.suscribir(nombre, ["a"])
    await broker.leer(["a"])
    await broker.publicar(mensajes("a", 3))
    await tomar(suscripcion, 2)
    intermediario.callar()

    async with asyncio.timeout(15):
        await broker.cerrar()


async def test_cortada_la_conexion_lo_que_se_tenia_se_confirma_y_no_vuelve(
    broker: Broker, directo: Broker, intermediario: Intermediario, nombre: str
) -> None:
    suscripcion = await broker.suscribir(nombre, ["a"])
    await directo.publicar(mensajes("a", 5, "k"))
    tenidas = await tomar(suscripcion, 2)
    intermediario.colgar()

    await suscripcion.confirmar(tenidas)
    assert cuerpos(await tomar(suscripcion, 3)) == ["2", "3", "4"]


async def test_cortada_la_conexion_nada_es_sospechoso_si_nadie_murio(
    broker: Broker, directo: Broker, intermediario: Intermediario, nombre: str
) -> None:
    suscripcion = await broker.suscribir(nombre, ["a"])
    await directo.publicar(mensajes("a", 5, "k"))
    [primera] = await tomar(suscripcion, 1)
    assert await suscripcion.iniciar(primera) == 1
    intermediario.colgar()

    assert not any(entrega.sospechosa for entrega in await tomar(suscripcion, 4))
    assert await suscripcion.iniciar(primera) == 2


async def test_sin_conexion_responder_dice_que_no_esta_disponible_y_despues_vale(
    broker: Broker, directo: Broker, intermediario: Intermediario, nombre: str
) -> None:
    suscripcion = await broker.suscribir(nombre, ["a"])
    await directo.publicar(mensajes("a", 1))
    tenidas = await tomar(suscripcion, 1)
    intermediario.colgar(atiende=False)

    empezo = time.monotonic()
    with pytest.raises(BrokerNoDisponible):
        await suscripcion.confirmar(tenidas)
    assert time.monotonic() - empezo < PLAZO_CLARO_S
    intermediario.seguir()
    await suscripcion.confirmar(tenidas)
    await suscripcion.cerrar()
    assert await nada(await directo.suscribir(nombre, ["a"]), 0.5)


# --- consumidores que mueren ----------------------------------------------------------------------------------------


def _victima(nombre: str, cuantos: int, iniciados: int, salida: Path) -> Proceso:
    orden = [
        sys.executable,
        "-m",
        "tests.contratos.consumidor_que_no_responde",
        f"{url_de_rabbitmq()}?exchange={nombre}",
    ]
    return Proceso([*orden, nombre, "a", str(cuantos), str(iniciados)], {"PYTHONPATH": f"{RAIZ}/src"}, salida, RAIZ)


async def _tomar_hasta(suscripcion: Suscripcion, cuantas: int, plazo_s: float) -> list[Entrega]:
    return await tomar(suscripcion, cuantas, plazo_s)


async def test_muere_quien_reparte_y_lo_que_tenian_los_demas_sigue_siendo_suyo(
    directo: Broker, nombre: str, tmp_path: Path
) -> None:
    await directo.publicar([*mensajes("a", 3, "suya"), *mensajes("a", 4, "mia", desde=3)])
    victima = _victima(nombre, 3, 1, tmp_path / "salida")
    try:
        await asyncio.to_thread(victima.espera_texto, "tomados")
        suscripcion = await directo.suscribir(nombre, ["a"])
        otra = await directo.suscribir(nombre, ["a"])
        mias = await tomar(suscripcion, 2)
        assert cuerpos(mias) == ["3", "4"]
    finally:
        victima.matar()

    del_muerto = await tomar(otra, 3, VIDA_S)
    assert cuerpos(del_muerto) == ["0", "1", "2"]
    assert [(e.sospechosa, e.intentos) for e in del_muerto] == [(True, 1), (True, 0), (True, 0)]
    assert await nada(otra, 0.3)
    await suscripcion.confirmar(mias)
    async with asyncio.timeout(VIDA_S):
        assert cuerpos([*await otra.recibir(9)]) == ["5", "6"]


async def _fantasma(nombre: str) -> AbstractConnection:
    """Un miembro que se presenta a quien pregunte, pero al que RabbitMQ ya no cuenta: murió, y aún existe su cola."""
    nombres, conexion = Nombres(nombre), await aiormq.connect(url_de_rabbitmq())
    canal = await conexion.channel()
    assert isinstance(canal, Channel)

    async def atender(crudo: DeliveredMessage) -> None:
        if leer(crudo)[0] == PRESENTATE:
            await mandar(canal, nombres.jefe, PRESENTE, a_datos(Informe("fantasma", [], ["a"])))

    suya = nombres.miembro("fantasma")
    await canal.queue_declare(suya, exclusive=True)
    await canal.queue_bind(suya, nombres.miembros)
    await canal.basic_consume(suya, atender, no_ack=True)
    return conexion


async def test_un_muerto_aun_sin_enterrar_no_pasa_por_otro_que_tarda_en_presentarse(
    broker: Broker, directo: Broker, intermediario: Intermediario, nombre: str
) -> None:
    quien_reparte = await directo.suscribir(nombre, ["a"])
    lento = await broker.suscribir(nombre, ["a"])
    await directo.publicar(mensajes("a", 1, "suya"))
    suyas = await tomar(lento, 1)
    await directo.publicar(mensajes("a", 1, "suya", desde=1))
    heredero = await directo.suscribir(nombre, ["a"])
    fantasma = await _fantasma(nombre)

    intermediario.callar()
    await quien_reparte.cerrar()
    assert await nada(heredero, 1.0), "repartió sin saber qué tenía quien tardaba"

    await fantasma.close()
    intermediario.seguir()
    assert await nada(heredero, 1.0), "lo de esa clave lo tiene otro"
    await lento.confirmar(suyas)
    assert cuerpos(await tomar(heredero, 1)) == ["1"]


async def test_muere_quien_recibe_y_lo_suyo_pasa_a_otro_como_sospechoso(
    directo: Broker, nombre: str, tmp_path: Path
) -> None:
    reparte = await directo.suscribir(nombre, ["a"])
    victima = _victima(nombre, 3, 2, tmp_path / "salida")
    try:
        await directo.publicar([*mensajes("a", 3, "suya")])
        await asyncio.to_thread(victima.espera_texto, "tomados")
        await directo.publicar(mensajes("a", 2, "suya", desde=3))
        assert await nada(reparte)
    finally:
        victima.matar()

    heredadas = await tomar(reparte, 5, VIDA_S)
    assert cuerpos(heredadas) == ["0", "1", "2", "3", "4"]
    assert [e.sospechosa for e in heredadas] == [True] * 3 + [False] * 2
    assert [e.intentos for e in heredadas] == [1, 1, 0, 0, 0]
