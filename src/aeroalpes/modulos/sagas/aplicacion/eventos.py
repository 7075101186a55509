"""Lo que la saga oye de los demás contextos."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Tramo:
    """Un vuelo: aeropuertos por su código, fechas en milisegundos desde 1970."""

    origen: str
    destino: str
    fecha_salida: int
    fecha_llegada: int


@dataclass(frozen=True, kw_only=True)
class Hotel:
    """Una noche en un hotel."""

    hotel: str
    fecha: date


@dataclass(frozen=True, kw_only=True)
class Vehiculo:
    """Un vehículo por días enteros; la edad de quien lo conduce, en años."""

    dias: int
    edad_conductor: int


@dataclass(frozen=True, kw_only=True)
class EventoReserva:
    """Base de lo que le pasa a una reserva."""

    id_reserva: UUID


@dataclass(frozen=True, kw_only=True)
class ReservaCreada(EventoReserva):
    """`monto` en centavos; `medio`, la ficha que dio el cliente para pagarlos; `hotel` y `vehiculo`, si los pidió."""

    id_cliente: UUID | None
    monto: int
    medio: str | None
    tramos: tuple[Tramo, ...]
    hotel: Hotel | None = None
    vehiculo: Vehiculo | None = None


class ReservaPagada(EventoReserva): ...


@dataclass(frozen=True, kw_only=True)
class PagoRechazado(EventoReserva):
    motivo: str


class PagoRevertido(EventoReserva): ...


class ReservaConfirmada(EventoReserva): ...


@dataclass(frozen=True, kw_only=True)
class ConfirmacionRechazada(EventoReserva):
    motivo: str


class ConfirmacionRevertida(EventoReserva): ...


class HotelReservado(EventoReserva): ...


@dataclass(frozen=True, kw_only=True)
class HotelRechazado(EventoReserva):
    motivo: str


class HotelLiberado(EventoReserva): ...


class VehiculoReservado(EventoReserva): ...


@dataclass(frozen=True, kw_only=True)
class VehiculoRechazado(EventoReserva):
    motivo: str


class VehiculoLiberado(EventoReserva): ...


class ReservaAprobada(EventoReserva): ...


@dataclass(frozen=True, kw_only=True)
class AprobacionFallida(EventoReserva):
    motivo: str
