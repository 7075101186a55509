"""Crea una reserva por gRPC y la consulta: `python src/sidecar/cliente.py [archivo.json]`.

El archivo tiene la forma del cuerpo de `POST /vuelos/reserva`.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import grpc

from configuracion import Configuracion, ConfiguracionInvalida, direccion
from pb2py.vuelos_pb2 import QueryReserva, Reserva
from pb2py.vuelos_pb2_grpc import VuelosStub
from presentacion import en_texto
from traduccion import reserva_de_json

EJEMPLO = Path(__file__).parent / "mensajes" / "crear_reserva.json"
ESPERA_CONEXION_S = 3.0

# Un proxy de la empresa en http_proxy no sabe llegar al sidecar de esta máquina.
OPCIONES = [("grpc.enable_http_proxy", 0)]


class SinReserva(Exception):
    """Por qué el cliente no pudo terminar, en una frase."""


def main(argumentos: Sequence[str] | None = None) -> int:
    """Código de salida: 0 si la reserva se creó y se consultó, 1 si no."""
    try:
        opciones = _opciones(argumentos)
        _crear_y_consultar(_leer(opciones.archivo), opciones.direccion, opciones.plazo_s)
    except (ConfiguracionInvalida, SinReserva) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _opciones(argumentos: Sequence[str] | None) -> argparse.Namespace:
    sidecar = direccion("localhost", Configuracion.leer().puerto)
    analizador = argparse.ArgumentParser(description="Crea una reserva por gRPC y la consulta.")
    analizador.add_argument("archivo", nargs="?", type=Path, default=EJEMPLO, help="la reserva, en JSON")
    analizador.add_argument("--direccion", default=sidecar, metavar="HOST:PUERTO", help=f"el sidecar ({sidecar})")
    analizador.add_argument("--plazo-s", type=float, default=10.0, help="lo que se espera por cada llamada (10)")
    return analizador.parse_args(argumentos)


def _leer(archivo: Path) -> Reserva:
    try:
        return reserva_de_json(json.loads(archivo.read_bytes()))
    except OSError as error:
        raise SinReserva(f"No se puede leer {archivo}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SinReserva(f"{archivo} no contiene una reserva: {error}") from error


def _crear_y_consultar(reserva: Reserva, sidecar: str, plazo_s: float) -> None:
    with grpc.insecure_channel(sidecar, options=OPCIONES) as canal:
        try:
            grpc.channel_ready_future(canal).result(timeout=min(ESPERA_CONEXION_S, plazo_s))
        except grpc.FutureTimeoutError as error:
            raise SinReserva(
                f"No hay un sidecar en {sidecar}: ¿está en marcha `python src/sidecar/main.py`?"
            ) from error
        vuelos = VuelosStub(canal)
        try:
            creada = vuelos.CrearReserva(reserva, timeout=plazo_s).reserva
            sys.stdout.write(f"Reserva creada\n{en_texto(creada)}\n")
            consultada = vuelos.ConsultarReserva(QueryReserva(id=creada.id), timeout=plazo_s).reserva
            sys.stdout.write(f"Reserva consultada\n{en_texto(consultada)}\n")
        except grpc.RpcError as error:
            raise SinReserva(f"El sidecar en {sidecar} respondió {error.code().name}: {error.details()}") from error


if __name__ == "__main__":
    sys.exit(main())
