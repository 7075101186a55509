"""El registro del tópico `comandos-hotel` (clave: id de la reserva)."""

from __future__ import annotations

from dataclasses import dataclass

from seedwork.infraestructura.schema.v1.mensajes import ComandoIntegracion

TOPICO = "comandos-hotel"


@dataclass(frozen=True, kw_only=True)
class ReservarHotel:
    """Tomar una habitación la noche del día `fecha` (AAAA-MM-DD)."""

    id_reserva: str
    hotel: str
    fecha: str


@dataclass(frozen=True, kw_only=True)
class LiberarHotel:
    id_reserva: str
    motivo: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComandosHotel(ComandoIntegracion):
    """Lo que se le pide a hoteles: exactamente una variante, la que nombra `type`."""

    reservar_hotel: ReservarHotel | None = None
    liberar_hotel: LiberarHotel | None = None
