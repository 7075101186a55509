"""El proceso ui entero, arrancado como lo arranca una persona, con una fuente puesta en el lugar de la real."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

RAIZ = Path(__file__).parents[2]
FUENTE = """
import asyncio

async def eventos(configuracion):
    yield {"id": "e1", "type": "ReservaCreada", "source": "/aeroalpes/vuelos", "data": {"id_reserva": "r1"}}
    await asyncio.Event().wait()
"""
FUENTE_QUE_NO_CIERRA = """
import asyncio

async def eventos(configuracion):
    try:
        yield {"id": "e1", "type": "ReservaCreada", "source": "/aeroalpes/vuelos"}
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(60)
"""


def _copiar(destino: Path, fuente: str) -> Path:
    """Las fuentes en otra carpeta, como quien acaba de clonar, con la fuente de la prueba."""
    for paquete in ("ui", "seedwork"):
        origen, copia = RAIZ / "src" / paquete, destino / "src" / paquete
        shutil.copytree(origen, copia, ignore=shutil.ignore_patterns("__pycache__"))
    (destino / "src" / "ui" / "fuente.py").write_text(fuente)
    return destino


async def _arrancar(raiz: Path, puerto: int | str) -> asyncio.subprocess.Process:
    ambiente = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "UI_HOST", "UI_ORIGENES")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "src/ui/main.py",
        cwd=raiz,
        env=ambiente | {"UI_PUERTO": str(puerto), "AEROALPES_PUERTO": "9"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@contextlib.asynccontextmanager
async def _corriendo(raiz: Path, puerto: int) -> AsyncIterator[asyncio.subprocess.Process]:
    proceso = await _arrancar(raiz, puerto)
    try:
        async with aiohttp.ClientSession() as sesion, asyncio.timeout(15):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with sesion.get(f"http://127.0.0.1:{puerto}/health") as respuesta:
                        assert respuesta.status == 200
                        break
                assert proceso.returncode is None, await proceso.communicate()
                await asyncio.sleep(0.05)
        yield proceso
    finally:
        with contextlib.suppress(ProcessLookupError):
            proceso.kill()
        await proceso.communicate()


@pytest.fixture
def puerto() -> int:
    with socket.socket() as libre:
        libre.bind(("127.0.0.1", 0))
        return int(libre.getsockname()[1])


@pytest.mark.parametrize("senal", [signal.SIGTERM, signal.SIGINT])
async def test_con_una_senal_despide_a_sus_clientes_y_sale_con_cero_en_dos_segundos(
    senal: signal.Signals, tmp_path: Path, puerto: int
) -> None:
    async with (
        _corriendo(_copiar(tmp_path, FUENTE), puerto) as proceso,
        aiohttp.ClientSession() as sesion,
        sesion.ws_connect(f"http://127.0.0.1:{puerto}/ws?desde=") as ws,
    ):
        assert (await ws.receive_json(timeout=5))["id"] == "e1"
        inicio = time.monotonic()
        proceso.send_signal(senal)
        await ws.receive(timeout=5)
        salida, errores = await proceso.communicate()
        assert ws.close_code == aiohttp.WSCloseCode.GOING_AWAY
        assert proceso.returncode == 0, errores
        assert time.monotonic() - inicio < 2.5
        assert b"Traceback" not in salida + errores


async def test_una_fuente_que_tarda_en_cerrarse_no_retiene_la_salida(tmp_path: Path, puerto: int) -> None:
    async with _corriendo(_copiar(tmp_path, FUENTE_QUE_NO_CIERRA), puerto) as proceso:
        inicio = time.monotonic()
        proceso.send_signal(signal.SIGTERM)
        await proceso.communicate()
        assert proceso.returncode == 0
        assert time.monotonic() - inicio < 3.5


async def test_un_puerto_en_uso_es_una_frase_que_lo_nombra(tmp_path: Path) -> None:
    with socket.socket() as ocupado:
        ocupado.bind(("127.0.0.1", 0))
        ocupado.listen()
        puerto = ocupado.getsockname()[1]
        proceso = await _arrancar(_copiar(tmp_path, FUENTE), puerto)
        _, errores = await asyncio.wait_for(proceso.communicate(), 15)
    assert proceso.returncode == 1
    assert errores.decode().strip() == f"El puerto {puerto} ya está en uso: libérelo o elija otro con UI_PUERTO."


async def test_un_broker_desconocido_es_una_frase_que_lo_nombra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_URL", "nats://127.0.0.1:4222")
    proceso = await _arrancar(_copiar(tmp_path, FUENTE), 0)
    _, errores = await asyncio.wait_for(proceso.communicate(), 15)
    assert proceso.returncode == 1
    assert errores.decode().startswith("No hay broker para 'nats://127.0.0.1:4222'")
    assert errores.count(b"\n") == 1


async def test_una_configuracion_que_no_sirve_es_una_frase_que_nombra_la_variable(tmp_path: Path) -> None:
    proceso = await _arrancar(_copiar(tmp_path, FUENTE), "abc")
    _, errores = await asyncio.wait_for(proceso.communicate(), 15)
    assert proceso.returncode == 1
    assert errores.decode().startswith("La configuración no sirve: UI_PUERTO:")
    assert errores.count(b"\n") == 1
