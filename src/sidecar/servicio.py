"""El servicio `Vuelos`: cada llamada de gRPC es una petición al API, y nada más."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeAlias
from uuid import uuid4

import grpc

from api import Api
from fallos import Fallo
from pb2py.vuelos_pb2 import QueryReserva, Reserva, RespuestaReserva
from pb2py.vuelos_pb2_grpc import VuelosServicer
from traduccion import cuerpo_de_creacion, identificador, reserva_de_respuesta

PLAZO_POR_DEFECTO_S = 10.0
"""Lo que se espera por el API cuando quien llama no puso plazo."""

MARGEN_S = 0.1
"""Lo que se guarda del plazo, a lo sumo su décima parte, para que la respuesta alcance a volver."""

CLAVE_IDEMPOTENCIA = "idempotency-key"
METADATOS_QUE_PASAN = frozenset({CLAVE_IDEMPOTENCIA, "traceparent", "authorization"})

Contexto: TypeAlias = grpc.aio.ServicerContext[Any, RespuestaReserva]

registro = logging.getLogger("sidecar")


class ServicioVuelos(VuelosServicer):
    """Traduce entre gRPC y el API. Todo error acaba en un código de estado con su frase."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def CrearReserva(self, request: Reserva, context: Contexto) -> RespuestaReserva:  # noqa: N802 - lo nombra el .proto
        async with _fallos_como_estado(context):
            cabeceras = _cabeceras(context)
            clave = cabeceras.setdefault(CLAVE_IDEMPOTENCIA, str(uuid4()))
            # Quien se quedó sin respuesta puede repetir con esta clave sin crear otra reserva.
            context.set_trailing_metadata(((CLAVE_IDEMPOTENCIA, clave),))
            cuerpo = cuerpo_de_creacion(request)
            datos = await self._api.crear_reserva(cuerpo, cabeceras=cabeceras, plazo_s=plazo_s(context))
            return RespuestaReserva(mensaje="OK", reserva=reserva_de_respuesta(datos))

    async def ConsultarReserva(self, request: QueryReserva, context: Contexto) -> RespuestaReserva:  # noqa: N802 - lo nombra el .proto
        async with _fallos_como_estado(context):
            id_reserva = identificador(request.id, "id")
            datos = await self._api.consultar_reserva(
                id_reserva, cabeceras=_cabeceras(context), plazo_s=plazo_s(context)
            )
            return RespuestaReserva(mensaje="OK", reserva=reserva_de_respuesta(datos))


@asynccontextmanager
async def _fallos_como_estado(context: Contexto) -> AsyncIterator[None]:
    try:
        yield
    except Fallo as fallo:
        registro.warning("%s: %s", fallo.codigo.name, fallo)
        await context.abort(fallo.codigo, str(fallo))


def _cabeceras(context: Contexto) -> dict[str, str]:
    metadatos = context.invocation_metadata() or ()
    return {nombre: str(valor) for nombre, valor in metadatos if nombre in METADATOS_QUE_PASAN and valor}


class ConPlazo(Protocol):
    """De la llamada, lo que hace falta para saber cuánto le queda; sin plazo gRPC contesta `None`."""

    def time_remaining(self) -> float | None: ...


def plazo_s(llamada: ConPlazo) -> float:
    """Los segundos que puede durar la petición al API."""
    restante_s = llamada.time_remaining()
    if restante_s is None:
        return PLAZO_POR_DEFECTO_S
    return restante_s - min(MARGEN_S, restante_s / 10)
