"""Cómo se sabe que un proceso ya atiende: cada función devuelve la pregunta que se le repite hasta que diga que sí."""

import http.client
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from arranque.suite import Puerto

ESPERA_S = 2.0


def por_http(puerto: Puerto, ruta: str) -> Callable[[int], bool]:
    """Listo cuando `GET ruta` responde 200. No pasa por ningún proxy."""

    def listo(_pid: int) -> bool:
        conexion = http.client.HTTPConnection(puerto.alcanzable, puerto.numero, timeout=ESPERA_S)
        try:
            conexion.request("GET", ruta)
            return conexion.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            conexion.close()

    return listo


def por_grpc(puerto: Puerto) -> Callable[[int], bool]:
    """Listo cuando el servicio de salud de gRPC responde SERVING."""

    def listo(_pid: int) -> bool:
        opciones = [("grpc.enable_http_proxy", 0)]
        with grpc.insecure_channel(f"{puerto.alcanzable}:{puerto.numero}", options=opciones) as canal:
            salud: Any = health_pb2_grpc.HealthStub(canal)  # sus métodos no existen para mypy: se crean al construirlo
            try:
                respuesta = salud.Check(health_pb2.HealthCheckRequest(), timeout=ESPERA_S)
            except grpc.RpcError:
                return False
        return bool(respuesta.status == health_pb2.HealthCheckResponse.SERVING)

    return listo


def por_archivo(ruta: Path) -> Callable[[int], bool]:
    """Listo cuando `ruta` contiene el pid del proceso. Un archivo que dejó otra corrida lleva otro pid y no vale."""

    def listo(pid: int) -> bool:
        try:
            return ruta.read_text(encoding="ascii").strip() == str(pid)
        except (OSError, ValueError):
            return False

    return listo
