"""El registro del tópico `eventos-reserva` (clave: id de la reserva): la versión 1 y lo que ella no podía decir.

Está entero, y no como diferencia: así se lee de una vez, y retirar la 1 no lo toca.
"""

from __future__ import annotations

from dataclasses import dataclass

from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion

TOPICO = "eventos-reserva"


@dataclass(frozen=True, kw_only=True)
class Tramo:
    """Un vuelo de la reserva: aeropuertos por su código, fechas en milisegundos desde 1970."""

    origen: str
    destino: str
    fecha_salida: int
    fecha_llegada: int


@dataclass(frozen=True, kw_only=True)
class Hotel:
    """La noche que se quiere en un hotel; `fecha` es su día, AAAA-MM-DD."""

    hotel: str
    fecha: str


@dataclass(frozen=True, kw_only=True)
class Vehiculo:
    """El vehículo que se quiere alquilar, por `dias` enteros; `edad_conductor` en años."""

    dias: int
    edad_conductor: int


@dataclass(frozen=True, kw_only=True)
class ReservaCreada:
    """Se reservó un viaje; `fecha_creacion` en milisegundos desde 1970.

    `tramos` son sus vuelos, en orden; `monto`, lo que cuesta, en centésimas de `moneda` (ISO 4217); `medio_pago`, la
    ficha que dio el cliente para pagarlo. Faltan en lo publicado antes de que existieran. Todo monto de la versión 1
    era en dólares, sin decirlo. `hotel` y `vehiculo` van si el cliente los pidió.
    """

    id_reserva: str
    id_cliente: str | None = None
    estado: str
    fecha_creacion: int
    tramos: list[Tramo] | None = None
    monto: int | None = None
    medio_pago: str | None = None
    moneda: str = "USD"
    hotel: Hotel | None = None
    vehiculo: Vehiculo | None = None


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
class AprobacionFallida:
    """Se pidió aprobar una reserva que ya no se puede aprobar, y por qué; `estado` es en el que sigue."""

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
    aprobacion_fallida: AprobacionFallida | None = None
