"""Lo propio del broker de RabbitMQ: lo que ven los operadores y otros programas, y el alta de una suscripción."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiormq
import httpx
import pytest
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelNotFoundEntity
from pamqp.commands import Basic
from tests.contratos.banco import PLAZO_S, cuerpos, mensajes, nada, tomar
from tests.contratos.banco_rabbitmq import CONSOLA, url_de_rabbitmq
from tests.contratos.exigidos import urls_de
from tests.procesos import RAIZ

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.brokers import (
    Broker,
    BrokerNoDisponible,
    Mensaje,
    MensajeNoPublicable,
    URLBrokerInvalida,
    conectar,
)


@pytest.fixture
def nombre() -> str:
    """De un exchange, y prefijo de lo demás, que no usa ninguna otra prueba."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def broker(nombre: str) -> AsyncIterator[Broker]:
    broker = conectar(f"{url_de_rabbitmq()}?exchange={nombre}")
    yield broker
    await broker.cerrar()


@pytest.fixture
async def crudo() -> AsyncIterator[AbstractChannel]:
    """Otro programa, con su propio cliente."""
    conexion = await aiormq.connect(url_de_rabbitmq())
    yield await conexion.channel()
    await conexion.close()


async def _listos(canal: AbstractChannel, cola: str) -> int | None:
    aparte = await canal.connection.channel()
    try:
        estado = await aparte.queue_declare(cola, passive=True)
    except ChannelNotFoundEntity:
        return None
    await aparte.close()
    return estado.message_count


async def _hasta(condicion: Any, plazo_s: float = PLAZO_S) -> None:
    async with asyncio.timeout(plazo_s):
        while not await condicion():
            await asyncio.sleep(0.02)


# --- la URL ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "amqp://",
        "amqp://host:0",
        "amqp://host:no",
        "amqp://host/?exchange=",
        "amqp://host/?exchange=a/b",
        "amqp://host/?log_mb=0",
        "amqp://host/?log_dias=x",
        "amqp://host/?otra=1",
        "amqp://usuario:secreto@host/#x",
    ],
)
def test_una_url_que_no_se_entiende_lo_dice_sin_su_clave(url: str) -> None:
    with pytest.raises(URLBrokerInvalida, match="exchange=nombre") as error:
        conectar(url)
    assert "secreto" not in str(error.value)


@pytest.mark.parametrize("esquema", ["amqp", "amqps"])
async def test_conectar_no_abre_nada(esquema: str) -> None:
    await conectar(f"{esquema}://u:c@no.existe:1/vhost?exchange=x").cerrar()


def test_sin_el_cliente_instalado_el_error_dice_que_extra_instalar() -> None:
    programa = (
        "import sys\nsys.modules['aiormq'] = None\nfrom seedwork.infraestructura.brokers import conectar\n"
        "try:\n    conectar('amqp://h')\nexcept Exception as error:\n    print(type(error).__name__, error)"
    )
    salida = subprocess.run(
        [sys.executable, "-c", programa], capture_output=True, text=True, check=True, env={"PYTHONPATH": f"{RAIZ}/src"}
    ).stdout
    assert salida.startswith(ErrorDeArranque.__name__)
    assert "aeroalpes-seedwork[rabbitmq]" in salida


@pytest.mark.parametrize("suscripcion", ["", "amq.x", "x" * 200])
async def test_una_suscripcion_que_no_puede_ser_una_cola_es_un_error(broker: Broker, suscripcion: str) -> None:
    with pytest.raises(ErrorDeArranque, match="cola de RabbitMQ"):
        await broker.suscribir(suscripcion, ["a"])


# --- lo que ven otros programas -------------------------------------------------------------------------------------


async def test_lo_nuestro_es_cloudevents_en_modo_binario_para_otros(
    broker: Broker, crudo: AbstractChannel, nombre: str
) -> None:
    await broker.comprobar()
    await broker.publicar(mensajes("x", 1))  # declara el exchange
    await crudo.queue_declare(f"{nombre}-otro", exclusive=True)
    await crudo.queue_bind(f"{nombre}-otro", nombre, "pedido.*")
    cabeceras = {"specversion": "1.0", "id": "7", "type": "creado", "datacontenttype": "application/json"}
    await broker.publicar([Mensaje(topico="pedido.creado", cuerpo=b"{}", clave="k", cabeceras=cabeceras)])

    recibido = await crudo.basic_get(f"{nombre}-otro")
    propiedades = recibido.header.properties
    assert recibido.routing_key == "pedido.creado"
    assert (recibido.body, propiedades.content_type) == (b"{}", "application/json")
    assert {n: v for n, v in (propiedades.headers or {}).items() if n.startswith("cloudEvents")} == {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": "7",
        "cloudEvents_type": "creado",
    }


@pytest.mark.parametrize("prefijo", ["cloudEvents_", "cloudEvents:"])
async def test_lo_de_otros_se_entiende_con_cualquiera_de_los_dos_prefijos(
    broker: Broker, crudo: AbstractChannel, nombre: str, prefijo: str
) -> None:
    suscripcion = await broker.suscribir(nombre, ["ajeno.#"])
    cabeceras = {
        f"{prefijo}id": "1",
        f"{prefijo}partitionkey": "k",
        "x-otra": 7,
        "bytes": bytearray(b"\xff"),
        "n": None,
    }
    await crudo.basic_publish(
        b"\x00", exchange=nombre, routing_key="ajeno.a", properties=Basic.Properties("text/plain", headers=cabeceras)
    )
    await crudo.basic_publish(b"", exchange=nombre, routing_key="ajeno")

    con_todo, sin_nada = [entrega.mensaje for entrega in await tomar(suscripcion, 2)]
    assert con_todo == Mensaje(
        topico="ajeno.a",
        cuerpo=b"\x00",
        clave="k",
        cabeceras={
            "id": "1",
            "partitionkey": "k",
            "x-otra": "7",
            "bytes": "\ufffd",
            "n": "null",
            "datacontenttype": "text/plain",
        },
    )
    assert sin_nada == Mensaje(topico="ajeno", cuerpo=b"")


async def test_un_ajeno_se_reintenta_y_se_aparta_intacto(broker: Broker, crudo: AbstractChannel, nombre: str) -> None:
    suscripcion = await broker.suscribir(nombre, ["ajeno"])
    propiedades = Basic.Properties(headers={"a": 1, "b": [1, "x"]}, expiration="60000", app_id="otro")
    await crudo.basic_publish(b"\xff", exchange=nombre, routing_key="ajeno", properties=propiedades)
    [entrega] = await tomar(suscripcion, 1)
    await suscripcion.reintentar(entrega, 0.5)
    [vuelta] = await tomar(suscripcion, 1)
    assert (vuelta.mensaje, vuelta.intentos) == (entrega.mensaje, 1)
    await suscripcion.desechar(vuelta, "no")

    apartado = await crudo.basic_get(f"{nombre}.dlq")
    assert apartado.body == b"\xff"
    assert (apartado.header.properties.headers or {})["b"] == [1, "x"]
    assert apartado.header.properties.app_id == "otro"


# --- lo que ven los operadores --------------------------------------------------------------------------------------


async def test_se_ven_la_cola_del_caso_de_uso_la_de_reintento_y_la_de_letras_muertas(
    broker: Broker, crudo: AbstractChannel, nombre: str
) -> None:
    suscripcion = await broker.suscribir(nombre, ["a"])
    assert await _listos(crudo, f"{nombre}.dlq") == 0
    await broker.publicar(mensajes("a", 2))
    primera, segunda = await tomar(suscripcion, 2)
    await suscripcion.reintentar(primera, 10)
    await suscripcion.desechar(segunda, "no")

    assert await _listos(crudo, nombre) == 0
    assert await _listos(crudo, f"{nombre}.reintento.10000") == 1
    assert await _listos(crudo, f"{nombre}.dlq") == 1
    assert {nombre, f"{nombre}.reintento.10000", f"{nombre}.dlq"} <= _colas(nombre)  # en la consola de RabbitMQ

    [letra] = await broker.letras_muertas.listar(nombre)
    assert await broker.letras_muertas.reenviar(letra.id)
    reenviada, reintentada = await tomar(suscripcion, 2)
    assert (reenviada.mensaje, reintentada.mensaje) == (segunda.mensaje, primera.mensaje)
    assert (reenviada.intentos, reintentada.intentos) == (0, 1)
    assert await _listos(crudo, f"{nombre}.dlq") == 0


async def test_mirar_las_letras_muertas_no_las_cambia_ni_las_desordena(
    broker: Broker, crudo: AbstractChannel, nombre: str
) -> None:
    suscripcion = await broker.suscribir(nombre, ["a"])
    await broker.publicar(mensajes("a", 50))
    for entrega in await tomar(suscripcion, 50):
        await suscripcion.desechar(entrega, "no")

    for cuantas in (7, 50, 100, 1):
        vistas = await broker.letras_muertas.listar(nombre, maximo=cuantas)
        assert [letra.mensaje.cuerpo.decode() for letra in vistas] == [str(i) for i in range(min(50, cuantas))]
    assert await broker.letras_muertas.descartar(vistas[0].id)
    assert not await broker.letras_muertas.descartar(vistas[0].id)
    assert [letra.mensaje.cuerpo for letra in await broker.letras_muertas.listar(maximo=2)] == [b"1", b"2"]
    await _hasta(lambda: _son(crudo, f"{nombre}.dlq", 49))


async def _son(canal: AbstractChannel, cola: str, cuantos: int) -> bool:
    return await _listos(canal, cola) == cuantos


async def test_una_lectura_efimera_no_deja_nada(broker: Broker, nombre: str) -> None:
    await broker.publicar(mensajes("a", 3))
    antes = _colas(nombre)
    lector = await broker.leer(["a"], desde_hace_s=60)
    async with asyncio.timeout(PLAZO_S):
        assert cuerpos(await lector.recibir(3))

    assert _colas(nombre) == antes
    await lector.cerrar()


def _colas(nombre: str) -> set[str]:
    vhost = urlsplit(url_de_rabbitmq()).path[1:]
    (consola,) = urls_de("rabbitmq", CONSOLA)
    colas = httpx.get(f"{consola}/api/queues/{vhost}", trust_env=False).raise_for_status().json()
    return {cola["name"] for cola in colas if cola["name"].startswith(nombre)}


# --- publicar -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cabeceras", [{"x" * 250: ""}, {"x": "y" * 70_000}])
async def test_unas_cabeceras_que_no_caben_en_amqp_no_se_publican(broker: Broker, cabeceras: dict[str, str]) -> None:
    culpable = Mensaje(topico="a", cuerpo=b"", cabeceras=cabeceras)
    with pytest.raises(MensajeNoPublicable) as error:
        await broker.publicar([*mensajes("a", 1), culpable])
    assert error.value.mensaje is culpable


async def test_lo_que_publican_varios_a_la_vez_llega_cada_lote_en_su_orden(broker: Broker, nombre: str) -> None:
    suscripcion = await broker.suscribir(nombre, ["a"])
    await asyncio.gather(*(broker.publicar(mensajes("a", 300, f"k{i}")) for i in range(4)))

    por_clave: dict[str | None, list[str]] = {}
    for entrega in await tomar(suscripcion, 1200):
        por_clave.setdefault(entrega.mensaje.clave, []).append(entrega.mensaje.cuerpo.decode())
    assert por_clave == {f"k{i}": [str(n) for n in range(300)] for i in range(4)}


async def test_con_el_exchange_borrado_se_vuelve_a_declarar(
    broker: Broker, crudo: AbstractChannel, nombre: str
) -> None:
    await broker.publicar(mensajes("a", 1))
    await crudo.exchange_delete(nombre)

    with pytest.raises(BrokerNoDisponible):
        await broker.publicar(mensajes("a", 1))
    await broker.publicar(mensajes("a", 1))


# --- el alta de una suscripción -------------------------------------------------------------------------------------


async def test_un_alta_mientras_se_publica_ni_pierde_ni_repite_ni_desordena(broker: Broker, nombre: str) -> None:
    claves, por_clave = "abc", 400

    async def publicar() -> None:
        for i in range(0, por_clave, 4):
            await broker.publicar([m for k in claves for m in mensajes("t", 4, k, desde=i)])

    publicando = asyncio.create_task(publicar())
    altas = []
    for i in range(4):
        await asyncio.sleep(0.05)
        altas.append(await broker.suscribir(f"{nombre}-{i}", ["#"]))
    await publicando

    for suscripcion in altas:
        recibidos: dict[str | None, list[int]] = {}
        for entrega in await tomar(suscripcion, 3 * por_clave, 30):
            recibidos.setdefault(entrega.mensaje.clave, []).append(int(entrega.mensaje.cuerpo))
        assert recibidos == {k: list(range(por_clave)) for k in claves}
        assert await nada(suscripcion, 0.1)


async def test_un_alta_a_medias_se_rehace_entera(broker: Broker, crudo: AbstractChannel, nombre: str) -> None:
    await broker.publicar(mensajes("a", 20, "k"))
    await crudo.queue_declare(f"{nombre}.alta", durable=True)  # como la deja quien muere a mitad
    argumentos: Any = {"x-queue-type": "quorum", "x-single-active-consumer": True, "x-delivery-limit": 1_000_000_000}
    for cola in (nombre, f"{nombre}.relleno"):
        await crudo.queue_declare(cola, durable=True, arguments=argumentos)
        await crudo.basic_publish(b"a medias", routing_key=cola)

    suscripcion = await broker.suscribir(nombre, ["a"])
    assert cuerpos(await tomar(suscripcion, 20)) == [str(i) for i in range(20)]
    assert await _listos(crudo, f"{nombre}.alta") is None


async def test_agotado_el_relleno_desaparece_y_sigue_lo_nuevo_en_orden(
    broker: Broker, crudo: AbstractChannel, nombre: str
) -> None:
    await broker.publicar(mensajes("a", 600, "k"))
    suscripcion = await broker.suscribir(nombre, ["a"])
    await broker.publicar(mensajes("a", 100, "k", desde=600))
    recibidos: list[str] = []
    async with asyncio.timeout(PLAZO_S):
        while len(recibidos) < 700:
            entregas = await suscripcion.recibir(50)
            recibidos += cuerpos(entregas)
            await suscripcion.confirmar(entregas)

    assert recibidos == [str(i) for i in range(700)]

    async def desaparecio() -> bool:
        return await _listos(crudo, f"{nombre}.relleno") is None

    await _hasta(desaparecio)
    await suscripcion.cerrar()
    assert await nada(await broker.suscribir(nombre, ["a"]), 0.5)


async def test_varios_que_se_suscriben_a_la_vez_son_una_sola_suscripcion(nombre: str) -> None:
    brokers = [conectar(f"{url_de_rabbitmq()}?exchange={nombre}") for _ in range(4)]
    await brokers[0].publicar(mensajes("a", 40))
    suscripciones = await asyncio.gather(*(broker.suscribir(nombre, ["a"]) for broker in brokers))

    tomadas = [cuerpos(await tomar(suscripcion, 10)) for suscripcion in suscripciones]
    assert Counter(c for unas in tomadas for c in unas) == {str(i): 1 for i in range(40)}
    await asyncio.gather(*(broker.cerrar() for broker in brokers))


async def test_la_ultima_en_suscribirse_dice_los_patrones(broker: Broker, nombre: str) -> None:
    vieja = await broker.suscribir(nombre, ["a", "b"])
    await vieja.cerrar()
    nueva = await broker.suscribir(nombre, ["b", "c"])
    await broker.publicar([Mensaje(topico=topico, cuerpo=topico.encode()) for topico in "abc"])

    assert cuerpos(await tomar(nueva, 2)) == ["b", "c"]
    assert await nada(nueva, 0.2)


# --- memoria y claves retenidas -------------------------------------------------------------------------------------


async def test_una_clave_retenida_con_mucho_detras_no_frena_a_las_demas(broker: Broker, nombre: str) -> None:
    suscripcion = await broker.suscribir(nombre, ["a"])
    await broker.publicar([*mensajes("a", 1500, "retenida"), *mensajes("a", 3, "libre")])

    libres: list[str] = []
    async with asyncio.timeout(PLAZO_S):
        while len(libres) < 3:
            entregas = await suscripcion.recibir(5, {"retenida"})
            libres += [entrega.mensaje.clave or "" for entrega in entregas]
    assert libres == ["libre"] * 3
    assert cuerpos(await tomar(suscripcion, 1500, 30)) == [str(i) for i in range(1500)]


async def test_un_atraso_de_mensajes_grandes_no_llena_la_memoria(broker: Broker, nombre: str, tmp_path: Path) -> None:
    cuerpo = bytes(1024 * 1024)
    suscripcion = await broker.suscribir(nombre, ["a"])
    for _ in range(20):
        await broker.publicar([Mensaje(topico="a", cuerpo=cuerpo, clave="k")] * 10)
    programa = (
        "import asyncio, resource, sys\nfrom seedwork.infraestructura.brokers import conectar\n"
        "async def main():\n"
        "    broker = conectar(sys.argv[1])\n"
        "    suscripcion = await broker.suscribir(sys.argv[2], ['a'])\n"
        "    vistos = 0\n"
        "    while vistos < 200:\n"
        "        entregas = await suscripcion.recibir(10)\n"
        "        vistos += len(entregas)\n"
        "        await asyncio.sleep(0.01)\n"
        "        await suscripcion.confirmar(entregas)\n"
        "    await broker.cerrar()\n"
        "    pico = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    print(pico if sys.platform == 'darwin' else pico * 1024)\n"
        "asyncio.run(main())\n"
    )
    # Por medio de otro: en Linux, un proceso empieza con el pico de memoria de quien lo lanza.
    intermedio = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', *sys.argv[1:]]).returncode)"
    await suscripcion.cerrar()
    proceso = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        intermedio,
        programa,
        f"{url_de_rabbitmq()}?exchange={nombre}",
        nombre,
        env={"PYTHONPATH": f"{RAIZ}/src"},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        salida, _ = await proceso.communicate()
    assert int(salida.split()[-1]) < 260 * 1024 * 1024
