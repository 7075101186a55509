"""Pulsar que se para, muere o se cuelga, y el acceso a él: TLS, token y un solo puerto abierto."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator

import pytest
from tests.contratos.banco import PLAZO_S, cuerpos, mensajes, tomar
from tests.contratos.banco_pulsar import url_de_pulsar
from tests.integracion.pulsar.privado import PulsarPrivado, token

from seedwork.infraestructura.brokers import Broker, BrokerNoDisponible, ErrorBroker, Mensaje, Suscripcion, conectar

PLAZO_CLARO_S = 10.0
CLAVES = 5


@pytest.fixture(scope="module")
def servidor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulsarPrivado]:
    url_de_pulsar()  # sin Pulsar instalado se salta, o falla si se exige
    privado = PulsarPrivado(tmp_path_factory.mktemp("pulsar"))
    try:
        privado.arrancar()
        yield privado
    finally:
        privado.borrar()


async def _falla_pronto(broker: Broker) -> None:
    for accion in (lambda: broker.publicar(mensajes("a", 1)), broker.comprobar):
        empezo = time.monotonic()
        with pytest.raises(BrokerNoDisponible):
            await accion()
        assert time.monotonic() - empezo < PLAZO_CLARO_S


async def _publica_cuando_puede(broker: Broker, lote: list[Mensaje], plazo_s: float = 90) -> None:
    async with asyncio.timeout(plazo_s):
        while True:
            try:
                return await broker.publicar(lote)
            except BrokerNoDisponible:
                await asyncio.sleep(0.1)


async def _consumir(suscripcion: Suscripcion, vistos: dict[str, list[int]]) -> None:
    while True:
        entregas = await suscripcion.recibir(20)
        for entrega in entregas:
            vistos[entrega.mensaje.clave or ""].append(int(entrega.mensaje.cuerpo))
        await asyncio.sleep(0.02)
        await suscripcion.confirmar(entregas)


async def test_parado_y_arrancado_a_mitad_nada_se_pierde_ni_se_desordena(servidor: PulsarPrivado) -> None:
    topico, por_clave = "caida", 200
    todos = [Mensaje(topico=topico, cuerpo=f"{i}".encode(), clave=f"k{i % CLAVES}") for i in range(CLAVES * por_clave)]
    productor, *brokers = [conectar(servidor.url) for _ in range(3)]
    suscripciones = [await broker.suscribir(topico, [topico]) for broker in brokers]
    vistos: dict[str, list[int]] = defaultdict(list)
    await productor.publicar(todos[:600])
    consumidores = [asyncio.create_task(_consumir(suscripcion, vistos)) for suscripcion in suscripciones]
    async with asyncio.timeout(PLAZO_S):
        while sum(map(len, vistos.values())) < 200:
            await asyncio.sleep(0.01)

    await asyncio.to_thread(servidor.parar)
    antes = {clave: list(suyos) for clave, suyos in vistos.items()}
    await _falla_pronto(productor)
    await asyncio.to_thread(servidor.arrancar)
    await _publica_cuando_puede(productor, todos[600:])

    async with asyncio.timeout(60):
        while len({visto for suyos in vistos.values() for visto in suyos}) < len(todos):
            await asyncio.sleep(0.05)
    for consumidor in consumidores:
        consumidor.cancel()
    await asyncio.gather(*consumidores, return_exceptions=True)
    for clave, suyos in vistos.items():
        assert list(dict.fromkeys(suyos)) == list(range(int(clave[1:]), len(todos), CLAVES))
        assert suyos[: len(antes[clave])] == sorted(set(antes[clave]))
    for broker in (productor, *brokers):
        await broker.cerrar()


async def test_colgado_lo_dice_a_tiempo_se_cierra_igual_y_al_volver_sigue(servidor: PulsarPrivado) -> None:
    broker, otro = conectar(servidor.url), conectar(servidor.url)
    suscripcion = await broker.suscribir("colgado", ["colgado"])
    await broker.publicar(mensajes("colgado", 2))
    await suscripcion.confirmar(await tomar(suscripcion, 2))
    await otro.leer([f"colgado.{i}" for i in range(8)])
    servidor.congelar()
    try:
        await _falla_pronto(broker)
        empezo = time.monotonic()
        await otro.cerrar()
        assert time.monotonic() - empezo < 15
    finally:
        servidor.descongelar()

    await _publica_cuando_puede(broker, mensajes("colgado", 1, desde=2))
    vistos: set[str] = set()
    async with asyncio.timeout(60):
        while "2" not in vistos:
            vistos |= set(cuerpos(await suscripcion.recibir(10)))
    await broker.cerrar()


async def test_con_tls_token_y_solo_el_puerto_del_broker_hay_comodines_y_desde_el_fin(servidor: PulsarPrivado) -> None:
    broker = conectar(servidor.url_cifrada(token()))
    await broker.publicar(mensajes("cifrado.uno", 1))
    suscripcion = await broker.suscribir("cifrado", ["cifrado.*"], desde="fin")
    lector = await broker.leer(["cifrado.#"])
    await broker.publicar(mensajes("cifrado.uno", 1, desde=1))
    assert cuerpos(await tomar(suscripcion, 1)) == ["1"]

    publicado = time.monotonic()
    await broker.publicar(mensajes("cifrado.dos", 1, desde=2))
    assert cuerpos(await tomar(suscripcion, 1)) == ["2"]
    assert time.monotonic() - publicado < 2
    leidos: list[str] = []
    async with asyncio.timeout(PLAZO_S):
        while len(leidos) < 2:
            leidos += cuerpos(await lector.recibir(10))
    assert leidos == ["1", "2"]
    await broker.cerrar()


async def test_con_un_token_falso_se_dice_que_lo_rechaza(servidor: PulsarPrivado) -> None:
    broker = conectar(servidor.url_cifrada(token(b"otro secreto, tambien de mas de doscientos cincuenta y seis")))
    for accion in (lambda: broker.suscribir("s", ["a"]), lambda: broker.leer(["a.*"]), broker.comprobar):
        with pytest.raises(ErrorBroker, match="lo rechaza") as error:
            await accion()
        assert not isinstance(error.value, BrokerNoDisponible)
    await broker.cerrar()
