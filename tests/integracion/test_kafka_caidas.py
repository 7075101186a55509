"""Kafka que se para o se cuelga mientras se publica y se consume."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import servidores
from tests.contratos.banco import cuerpos, mensajes, nada, tomar
from tests.contratos.banco_kafka import url_de_kafka
from tests.procesos import RAIZ, congelar, puerto_libre

from seedwork.infraestructura.brokers import Broker, BrokerNoDisponible, Entrega, Suscripcion, conectar

PLAZO_CLARO_S = 10.5


_PARAR = """
import os, signal, sys
from pathlib import Path
from tests import servidores
sys.stdin.read()
for pid in servidores.pids("kafka", Path(sys.argv[1])):
    os.kill(pid, signal.SIGKILL)  # sus datos se borran: no hay nada que cerrar por las buenas
servidores.parar("kafka", Path(sys.argv[1]), borrar=True)
"""
# Vive menos de un minuto y arranca dos veces: no le da tiempo a aprovechar lo que se compile a fondo.
_JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"


@pytest.fixture(scope="module")
def raiz(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """La carpeta de un Kafka de estas pruebas solas.

    Lo para otro proceso en cuanto éste suelta su entrada, también si se interrumpe o muere.
    """
    url_de_kafka()  # sin Kafka instalado se salta, o falla si se exige
    raiz = tmp_path_factory.mktemp("kafka")
    orden = [sys.executable, "-c", _PARAR, str(raiz)]
    with (
        subprocess.Popen(orden, stdin=subprocess.PIPE, cwd=RAIZ, start_new_session=True),
        pytest.MonkeyPatch.context() as entorno,
    ):
        entorno.setenv("JAVA_TOOL_OPTIONS", _JAVA)
        servidores.arrancar("kafka", raiz)
        yield raiz


@pytest.fixture
def url(raiz: Path) -> str:
    return servidores.urls(raiz)["TEST_KAFKA_URL"]


@pytest.fixture
def nombre() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


async def _falla_pronto(broker: Broker, topico: str) -> None:
    empezo = time.monotonic()
    fallos = await asyncio.gather(
        broker.publicar(mensajes(topico, 1, desde=99)), broker.comprobar(), return_exceptions=True
    )
    assert [type(fallo) for fallo in fallos] == [BrokerNoDisponible] * 2
    assert time.monotonic() - empezo < PLAZO_CLARO_S


async def _publica_cuando_puede(broker: Broker, topico: str, cuantos: int, desde: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await broker.publicar(mensajes(topico, cuantos, desde=desde))
                return
            except BrokerNoDisponible:
                await asyncio.sleep(0.1)


async def _toma_cuando_puede(suscripcion: Suscripcion, cuantas: int) -> list[Entrega]:
    """Como el motor: si el broker no está, insiste."""
    tomadas: list[Entrega] = []
    async with asyncio.timeout(90):
        while len(tomadas) < cuantas:
            try:
                tomadas += await suscripcion.recibir(cuantas - len(tomadas))
            except BrokerNoDisponible:
                await asyncio.sleep(0.1)
    return tomadas


async def _sin_broker_lo_dice() -> None:
    """Donde no hay nadie escuchando, nada tarda más de lo prometido."""
    broker = conectar(f"kafka://127.0.0.1:{puerto_libre()}")
    empezo = time.monotonic()
    resultados = await asyncio.gather(
        broker.publicar(mensajes("t", 1)), broker.suscribir("s", ["t"]), broker.comprobar(), return_exceptions=True
    )

    assert [type(r) for r in resultados] == [BrokerNoDisponible] * 3
    assert time.monotonic() - empezo < PLAZO_CLARO_S
    await broker.cerrar()
    assert time.monotonic() - empezo < PLAZO_CLARO_S + 3


async def test_parado_lo_dice_en_diez_segundos_y_arrancado_no_se_pierde_nada_ni_se_repite_lo_que_se_tenia(
    raiz: Path, url: str, nombre: str
) -> None:
    broker = conectar(f"{url}?particiones=1")
    suscripcion = await broker.suscribir(nombre, [nombre])
    lector = await broker.leer([nombre])
    await broker.publicar(mensajes(nombre, 10))
    tenidas = await tomar(suscripcion, 4)
    await suscripcion.reintentar(tenidas.pop(), 1)
    esperando = asyncio.create_task(_toma_cuando_puede(suscripcion, 10))

    await asyncio.to_thread(servidores.parar, "kafka", raiz)
    await asyncio.gather(_falla_pronto(broker, nombre), _sin_broker_lo_dice())
    await asyncio.to_thread(servidores.arrancar, "kafka", raiz)
    await _publica_cuando_puede(broker, nombre, 3, desde=10)

    resto = await esperando
    assert sorted(map(int, cuerpos(resto))) == list(range(3, 13))
    await suscripcion.confirmar([*tenidas, *resto])
    assert await nada(suscripcion, 1.0)
    leidos: list[str] = []
    async with asyncio.timeout(30):
        while len(leidos) < 13:
            leidos += cuerpos(await lector.recibir(20))
    assert leidos == [str(i) for i in range(13)]
    await broker.cerrar()

    otra_vez = conectar(url)
    assert await nada(await otra_vez.suscribir(nombre, [nombre]), 1.5)
    await otra_vez.cerrar()


async def test_colgado_publicar_confirmar_y_cerrar_vuelven_en_su_plazo_y_al_volver_siguen(
    raiz: Path, url: str, nombre: str
) -> None:
    broker = conectar(url)
    suscripcion = await broker.suscribir(nombre, [nombre])
    await broker.publicar(mensajes(nombre, 2, "k"))
    tenidas = await tomar(suscripcion, 2)
    otro = conectar(url)
    await tomar(await otro.suscribir(f"{nombre}-otra", [nombre]), 1)
    await (await otro.leer([nombre], desde_hace_s=60)).recibir(1)
    [pid] = servidores.pids("kafka", raiz)
    congelar(pid)
    try:
        empezo = time.monotonic()
        *fallos, cerrado = await asyncio.gather(
            suscripcion.confirmar(tenidas[:1]),
            broker.publicar(mensajes(nombre, 1, desde=99)),
            otro.cerrar(),
            return_exceptions=True,
        )
        assert [type(fallo) for fallo in fallos] == [BrokerNoDisponible] * 2
        assert cerrado is None
        assert time.monotonic() - empezo < PLAZO_CLARO_S
    finally:
        os.kill(pid, signal.SIGCONT)

    async with asyncio.timeout(60):
        while True:
            try:
                await suscripcion.confirmar(tenidas)
                break
            except BrokerNoDisponible:
                await asyncio.sleep(0.1)
    await _publica_cuando_puede(broker, nombre, 1, desde=7)
    recibidas: list[str] = []
    while "7" not in recibidas:
        recibidas += cuerpos(await _toma_cuando_puede(suscripcion, 1))
    assert set(recibidas) <= {"7", "99"}
    await broker.cerrar()
