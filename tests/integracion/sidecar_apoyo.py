"""Un API de mentira con las formas de REST del contrato, y el sidecar de verdad en su proceso."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web
from multidict import CIMultiDictProxy

RAIZ = Path(__file__).parents[2]
SIDECAR = RAIZ / "src" / "sidecar"
ESPERA_S = 20.0

if str(SIDECAR) not in sys.path:
    sys.path.append(str(SIDECAR))

from pb2py import vuelos_pb2 as pb  # noqa: E402 - hasta aquí no se podía importar
from pb2py.vuelos_pb2_grpc import VuelosStub  # noqa: E402

__all__ = ["ApiFalso", "Proceso", "VuelosStub", "api_falso", "cortar", "ejecutar", "hasta", "pb", "problema", "sidecar"]

Conducta = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Peticion:
    metodo: str
    ruta: str
    cabeceras: CIMultiDictProxy[str]
    cuerpo: Any


@dataclass
class ApiFalso:
    """Guarda las reservas que le mandan, salvo que una prueba le ponga otra `conducta`."""

    puerto: int = 0
    conducta: Conducta | None = None
    peticiones: list[Peticion] = field(default_factory=list)
    reservas: dict[str, dict[str, Any]] = field(default_factory=dict)

    def olvidar(self) -> None:
        self.conducta = None
        self.peticiones.clear()
        self.reservas.clear()

    async def atender(self, request: web.Request) -> web.StreamResponse:
        cuerpo = await request.json() if request.can_read_body else None
        self.peticiones.append(Peticion(request.method, request.path, request.headers, cuerpo))
        return await (self.conducta or self.reservar)(request)

    async def reservar(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            reserva = self.reservas.get(request.path.rpartition("/")[2])
            return web.json_response(reserva) if reserva else problema(404, "No hay una reserva con ese id")
        reserva = {
            "id": str(uuid4()),
            "fecha_creacion": "2022-11-01T08:00:00Z",
            "fecha_actualizacion": "2022-11-01T08:00:00Z",
            "estado": "PENDIENTE",
            "id_cliente": None,
            "algo_nuevo": {"que": ["el", "sidecar", "no conoce"]},
            **self.peticiones[-1].cuerpo,
        }
        self.reservas[reserva["id"]] = reserva
        return web.json_response(reserva)


def problema(estado: int, detalle: str) -> web.Response:
    return web.json_response(
        {"title": "Error", "status": estado, "detail": detalle}, status=estado, content_type="application/problem+json"
    )


async def hasta(condicion: Callable[[], bool]) -> None:
    """Espera por algo que pasa en otro proceso, donde no hay evento que esperar."""
    async with asyncio.timeout(ESPERA_S):
        while not condicion():
            await asyncio.sleep(0.01)


async def cortar(request: web.Request) -> web.StreamResponse:
    """El API muere antes de contestar."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def api_falso(puerto: int = 0) -> AsyncIterator[ApiFalso]:
    api = ApiFalso()
    aplicacion = web.Application()
    aplicacion.router.add_route("*", "/{ruta:.*}", api.atender)
    servidor = web.AppRunner(aplicacion, shutdown_timeout=0.1)
    await servidor.setup()
    await web.TCPSite(servidor, "127.0.0.1", puerto).start()
    api.puerto = servidor.addresses[0][1]
    try:
        yield api
    finally:
        await servidor.cleanup()


@dataclass
class Proceso:
    proceso: asyncio.subprocess.Process
    direccion: str = ""
    lineas: list[str] = field(default_factory=list)

    async def parar(self, senal: int) -> int:
        self.proceso.send_signal(senal)
        return await asyncio.wait_for(self.proceso.wait(), ESPERA_S)


def entorno(api_puerto: int, **variables: str) -> dict[str, str]:
    propio = {
        "SIDECAR_HOST": "127.0.0.1",
        "SIDECAR_PUERTO": "0",
        "SIDECAR_GRACIA_S": "5",
        "AEROALPES_ADDRESS": "127.0.0.1",
        "AEROALPES_PUERTO": str(api_puerto),
    }
    return {**os.environ, **propio, **variables}


@asynccontextmanager
async def sidecar(api_puerto: int, **variables: str) -> AsyncIterator[Proceso]:
    """El sidecar en marcha y listo; al salir no queda su proceso, pase lo que pase."""
    proceso = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "src/sidecar/main.py",
        cwd=RAIZ, env=entorno(api_puerto, **variables), stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    marcha = Proceso(proceso)
    lector = asyncio.create_task(_leer(marcha))
    try:
        await hasta(lambda: bool(marcha.direccion) or lector.done())
        assert marcha.direccion, marcha.lineas
        yield marcha
    finally:
        if proceso.returncode is None:
            proceso.kill()
        await proceso.wait()
        await lector


async def _leer(marcha: Proceso) -> None:
    assert marcha.proceso.stderr is not None
    async for linea in marcha.proceso.stderr:
        marcha.lineas.append(linea.decode().rstrip())
        if " listo en " in marcha.lineas[-1]:
            marcha.direccion = marcha.lineas[-1].partition(" listo en ")[2].partition(";")[0]


async def ejecutar(*argumentos: str, api_puerto: int = 1, **variables: str) -> tuple[int, str, str]:
    """Corre un programa de Python hasta el final: código de salida, stdout y stderr."""
    proceso = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", *argumentos,
        cwd=RAIZ, env=entorno(api_puerto, **variables),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        salida, errores = await asyncio.wait_for(proceso.communicate(), ESPERA_S)
    finally:
        if proceso.returncode is None:
            proceso.kill()
            await proceso.wait()
    assert proceso.returncode is not None
    return proceso.returncode, salida.decode(), errores.decode()
