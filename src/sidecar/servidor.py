"""El proceso servidor: qué servicios ofrece, dónde escucha y cómo para."""

import asyncio
import errno
import logging
import signal
import socket

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from api import Api
from configuracion import Configuracion, direccion
from pb2py.vuelos_pb2 import DESCRIPTOR
from pb2py.vuelos_pb2_grpc import add_VuelosServicer_to_server
from servicio import ServicioVuelos

SERVICIO = DESCRIPTOR.services_by_name["Vuelos"].full_name

# Por defecto gRPC deja que dos procesos compartan el puerto, y el segundo arrancaría sin queja.
OPCIONES = [("grpc.so_reuseport", 0)]

registro = logging.getLogger("sidecar")


class PuertoOcupado(Exception):
    """No se puede escuchar donde dice la configuración; la frase nombra el puerto."""


async def servir(configuracion: Configuracion) -> None:
    """Atiende hasta SIGTERM o SIGINT; entonces termina las llamadas en curso, a lo sumo `gracia_s` segundos.

    Lanza `PuertoOcupado` si no se puede escuchar.
    """
    parar = asyncio.Event()
    for senal in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(senal, parar.set)
    async with Api(configuracion.api_host, configuracion.api_puerto) as api:
        servidor = grpc.aio.server(options=OPCIONES)
        add_VuelosServicer_to_server(ServicioVuelos(api), servidor)
        salud = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(salud, servidor)
        reflection.enable_server_reflection((SERVICIO, health.SERVICE_NAME, reflection.SERVICE_NAME), servidor)
        puerto = _escuchar(servidor, configuracion)
        await servidor.start()
        for nombre in ("", SERVICIO):
            await salud.set(nombre, health_pb2.HealthCheckResponse.SERVING)
        registro.info("Sidecar listo en %s; API en %s", direccion(configuracion.host, puerto), api.origen)
        await parar.wait()
        registro.info("Sidecar parando")
        await salud.enter_graceful_shutdown()
        await servidor.stop(configuracion.gracia_s)


def _escuchar(servidor: grpc.aio.Server, configuracion: Configuracion) -> int:
    host, puerto = configuracion.host, configuracion.puerto
    try:
        _probar(host, puerto)
        return servidor.add_insecure_port(direccion(host, puerto))
    except (OSError, RuntimeError) as error:
        ocupado = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        motivo = "otro proceso ya lo usa" if ocupado else str(error)
        raise PuertoOcupado(
            f"El sidecar no puede escuchar en el puerto {puerto} de {host}: {motivo}; SIDECAR_PUERTO elige otro"
        ) from error


def _probar(host: str, puerto: int) -> None:
    # gRPC no dice por qué no pudo y lo cuenta él mismo en stderr; un socket corriente da el motivo exacto.
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as prueba:
        prueba.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        prueba.bind((host, puerto))
