"""Eventos de `eventos-reserva` como los publica vuelos, para ponerlos en el broker sin pasar por él."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos, eventos
from seedwork.infraestructura.brokers import Broker, Mensaje, conectar
from seedwork.infraestructura.codificacion import codificar
from seedwork.infraestructura.schema.v1.mensajes import sobre

SERVICIO = "aeroalpes"


@asynccontextmanager
async def conectado(url: str) -> AsyncIterator[Broker]:
    broker = conectar(url)
    try:
        yield broker
    finally:
        await broker.cerrar()


def creada(id_reserva: UUID | None = None, medio_pago: str | None = None) -> Mensaje:
    id = str(id_reserva or uuid4())
    variante = eventos.ReservaCreada(
        id_reserva=id, estado="PENDIENTE", fecha_creacion=1_700_000_000_000, medio_pago=medio_pago
    )
    return _mensaje("ReservaCreada", id, reserva_creada=variante)


def aprobada(id_reserva: UUID) -> Mensaje:
    variante = eventos.ReservaAprobada(
        id_reserva=str(id_reserva), estado="APROBADA", fecha_actualizacion=1_700_000_000_000
    )
    return _mensaje("ReservaAprobada", str(id_reserva), reserva_aprobada=variante)


def aprobacion_fallida(id_reserva: UUID) -> Mensaje:
    variante = eventos.AprobacionFallida(
        id_reserva=str(id_reserva), estado="CANCELADA", fecha_actualizacion=1_700_000_000_000, motivo="ya no voy"
    )
    return _mensaje("AprobacionFallida", str(id_reserva), aprobacion_fallida=variante)


def crear(id: object, **cambios: Any) -> comandos.ComandosReserva:
    """El comando de reservar un viaje de BOG a JFK con ese id, sin publicar."""
    lugar = comandos.Locacion
    leg = comandos.Leg(
        fecha_salida=1669122600000,
        fecha_llegada=1669129800000,
        origen=lugar(codigo="BOG", nombre="El Dorado"),
        destino=lugar(codigo="JFK", nombre="John F. Kennedy"),
    )
    itinerarios = [comandos.Itinerario(odos=[comandos.Odo(segmentos=[comandos.Segmento(legs=[leg])])])]
    creacion = {"id_reserva": str(id), "itinerarios": itinerarios, "pasajeros": [], **cambios}
    return comandos.ComandosReserva(**sobre("CrearReserva", "ajeno"), crear_reserva=comandos.CrearReserva(**creacion))


def _mensaje(tipo: str, id_reserva: str, **variante: object) -> Mensaje:
    registro = eventos.EventosReserva(**sobre(tipo, SERVICIO), **variante)  # type: ignore[arg-type]
    return codificar(registro, topico=eventos.TOPICO, servicio=SERVICIO, clave=id_reserva)
