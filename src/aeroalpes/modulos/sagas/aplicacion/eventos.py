"""Lo que la saga oye de los demás contextos."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Tramo:
    """Un vuelo: aeropuertos por su código, fechas en milisegundos desde 1970."""

    origen: str
    destino: str
    fecha_salida: int
    fecha_llegada: int


@dataclass(frozen=True, kw_only=True)
class EventoReserva:
    """Base de lo que le pasa a una reserva."""

    id_reserva: UUID


@dataclass(frozen=True, kw_only=True)
class ReservaCreada(EventoReserva):
    """`monto` en centavos; `medio`, la ficha que dio el cliente para pagarlos."""

    id_cliente: UUID | None
    monto: int
    medio: str | None
    tramos: tuple[Tramo, ...]


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


class ReservaAprobada(EventoReserva): ...


@dataclass(frozen=True, kw_only=True)
class AprobacionFallida(EventoReserva):
    motivo: str
