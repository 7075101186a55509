"""El registro del tópico `eventos-reserva` (clave: id de la reserva)."""

from __future__ import annotations

from dataclasses import dataclass

from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion

TOPICO = "eventos-reserva"


@dataclass(frozen=True, kw_only=True)
class ReservaCreada:
    """Se reservó un viaje; `fecha_creacion` en milisegundos desde 1970."""

    id_reserva: str
    id_cliente: str | None = None
    estado: str
    fecha_creacion: int


@dataclass(frozen=True, kw_only=True)
class ReservaPagada:
    """El viaje quedó pagado; `fecha_actualizacion` en milisegundos desde 1970."""

    id_reserva: str
    id_cliente: str | None = None
    estado: str
    fecha_actualizacion: int


@dataclass(frozen=True, kw_only=True)
class ReservaAprobada:
    """La reserva es firme; `fecha_actualizacion` en milisegundos desde 1970."""

    id_reserva: str
    id_cliente: str | None = None
    estado: str
    fecha_actualizacion: int


@dataclass(frozen=True, kw_only=True)
class ReservaCancelada:
    """La reserva se deshizo, y por qué; `fecha_actualizacion` en milisegundos desde 1970."""

    id_reserva: str
    id_cliente: str | None = None
    estado: str
    fecha_actualizacion: int
    motivo: str


@dataclass(frozen=True, kw_only=True)
class EventosReserva(EventoIntegracion):
    """Lo que le pasa a una reserva: exactamente una variante, la que nombra `type`."""

    reserva_creada: ReservaCreada | None = None
    reserva_pagada: ReservaPagada | None = None
    reserva_aprobada: ReservaAprobada | None = None
    reserva_cancelada: ReservaCancelada | None = None
