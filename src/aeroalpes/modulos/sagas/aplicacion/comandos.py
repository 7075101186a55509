"""Lo que la saga manda a los demás contextos."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.sagas.aplicacion.eventos import Hotel, Tramo, Vehiculo
from seedwork.aplicacion.comandos import Comando


@dataclass(frozen=True, kw_only=True)
class PagarReserva(Comando[None]):
    """A pagos: cobrar `monto` centavos a `medio`."""

    id_reserva: UUID
    id_cliente: UUID | None
    monto: int
    medio: str | None


@dataclass(frozen=True, kw_only=True)
class RevertirPago(Comando[None]):
    """A pagos: que no quede nada cobrado."""

    id_reserva: UUID
    motivo: str


@dataclass(frozen=True, kw_only=True)
class ConfirmarReserva(Comando[None]):
    """A gds: tomar plazas en todos los tramos."""

    id_reserva: UUID
    tramos: tuple[Tramo, ...]


@dataclass(frozen=True, kw_only=True)
class RevertirConfirmacion(Comando[None]):
    """A gds: que no quede ninguna plaza tomada."""

    id_reserva: UUID
    motivo: str


@dataclass(frozen=True, kw_only=True)
class ReservarHotel(Comando[None]):
    """A hoteles: tomar una habitación esa noche."""

    id_reserva: UUID
    hotel: Hotel


@dataclass(frozen=True, kw_only=True)
class LiberarHotel(Comando[None]):
    """A hoteles: que no quede ninguna habitación tomada."""

    id_reserva: UUID
    motivo: str


@dataclass(frozen=True, kw_only=True)
class ReservarVehiculo(Comando[None]):
    """A vehiculos: apartar un coche."""

    id_reserva: UUID
    vehiculo: Vehiculo


@dataclass(frozen=True, kw_only=True)
class LiberarVehiculo(Comando[None]):
    """A vehiculos: que no quede ningún coche apartado."""

    id_reserva: UUID
    motivo: str


@dataclass(frozen=True, kw_only=True)
class AprobarReserva(Comando[None]):
    """A vuelos: la reserva es firme."""

    id_reserva: UUID


@dataclass(frozen=True, kw_only=True)
class CancelarReserva(Comando[None]):
    """A vuelos: ya no queda nada de la reserva, y por qué."""

    id_reserva: UUID
    motivo: str
