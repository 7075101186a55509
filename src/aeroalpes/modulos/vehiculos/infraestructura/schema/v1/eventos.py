"""El registro del tópico `eventos-vehiculo` (clave: id de la reserva)."""

from __future__ import annotations

from dataclasses import dataclass

from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion

TOPICO = "eventos-vehiculo"


@dataclass(frozen=True, kw_only=True)
class VehiculoReservado:
    id_reserva: str
    dias: int


@dataclass(frozen=True, kw_only=True)
class VehiculoRechazado:
    """No se apartó ningún coche, y por qué."""

    id_reserva: str
    motivo: str


@dataclass(frozen=True, kw_only=True)
class VehiculoLiberado:
    """La reserva no tiene ningún coche."""

    id_reserva: str


@dataclass(frozen=True, kw_only=True)
class EventosVehiculo(EventoIntegracion):
    """Lo que le pasa al coche de una reserva: exactamente una variante, la que nombra `type`."""

    vehiculo_reservado: VehiculoReservado | None = None
    vehiculo_rechazado: VehiculoRechazado | None = None
    vehiculo_liberado: VehiculoLiberado | None = None
