"""El registro del tópico `comandos-vehiculo` (clave: id de la reserva)."""

from __future__ import annotations

from dataclasses import dataclass

from seedwork.infraestructura.schema.v1.mensajes import ComandoIntegracion

TOPICO = "comandos-vehiculo"


@dataclass(frozen=True, kw_only=True)
class ReservarVehiculo:
    """Apartar un coche unos `dias`; `edad_conductor`, en años."""

    id_reserva: str
    dias: int
    edad_conductor: int


@dataclass(frozen=True, kw_only=True)
class LiberarVehiculo:
    id_reserva: str
    motivo: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComandosVehiculo(ComandoIntegracion):
    """Lo que se le pide a vehiculos: exactamente una variante, la que nombra `type`."""

    reservar_vehiculo: ReservarVehiculo | None = None
    liberar_vehiculo: LiberarVehiculo | None = None
