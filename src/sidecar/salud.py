"""Pregunta al sidecar de esta máquina si atiende: `python src/sidecar/salud.py`. Código 0 si atiende, 1 si no."""

import sys
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from configuracion import Configuracion, direccion

ESPERA_S = 4.0


def main() -> int:
    destino = direccion("127.0.0.1", Configuracion.leer().puerto)
    with grpc.insecure_channel(destino, options=[("grpc.enable_http_proxy", 0)]) as canal:
        salud: Any = health_pb2_grpc.HealthStub(canal)  # sus métodos no existen para mypy: se crean al construirlo
        try:
            respuesta = salud.Check(health_pb2.HealthCheckRequest(), timeout=ESPERA_S)
        except grpc.RpcError:
            return 1
    return int(respuesta.status != health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(main())
