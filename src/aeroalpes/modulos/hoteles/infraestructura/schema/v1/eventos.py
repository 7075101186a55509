"""El registro del tópico `eventos-hotel` (clave: id de la reserva)."""

from __future__ import annotations

from dataclasses import dataclass

from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion

TOPICO = "eventos-hotel"


@dataclass(frozen=True, kw_only=True)
class HotelReservado:
    id_reserva: str
    hotel: str
    fecha: str


@dataclass(frozen=True, kw_only=True)
class HotelRechazado:
    """No se tomó ninguna habitación, y por qué."""

    id_reserva: str
    motivo: str


@dataclass(frozen=True, kw_only=True)
class HotelLiberado:
    """La reserva no tiene ninguna habitación."""

    id_reserva: str


@dataclass(frozen=True, kw_only=True)
class EventosHotel(EventoIntegracion):
    """Lo que le pasa al hotel de una reserva: exactamente una variante, la que nombra `type`."""

    hotel_reservado: HotelReservado | None = None
    hotel_rechazado: HotelRechazado | None = None
    hotel_liberado: HotelLiberado | None = None
