"""La forma en que una reserva entra a los casos de uso y sale de ellos: datos, sin reglas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True)
class AeropuertoDTO:
    codigo: str
    nombre: str


@dataclass(frozen=True)
class LegDTO:
    fecha_salida: datetime
    fecha_llegada: datetime
    origen: AeropuertoDTO
    destino: AeropuertoDTO


@dataclass(frozen=True)
class SegmentoDTO:
    legs: tuple[LegDTO, ...]


@dataclass(frozen=True)
class OdoDTO:
    segmentos: tuple[SegmentoDTO, ...]


@dataclass(frozen=True)
class ItinerarioDTO:
    odos: tuple[OdoDTO, ...]


@dataclass(frozen=True)
class HotelDTO:
    hotel: str
    fecha: date


@dataclass(frozen=True)
class VehiculoDTO:
    dias: int
    edad_conductor: int


@dataclass(frozen=True, kw_only=True)
class ReservaDTO:
    id: UUID
    id_cliente: UUID | None
    itinerarios: tuple[ItinerarioDTO, ...]
    pasajeros: tuple[str, ...]
    hotel: HotelDTO | None
    vehiculo: VehiculoDTO | None
    estado: str
    motivo: str | None
    fecha_creacion: datetime
    fecha_actualizacion: datetime


@dataclass(frozen=True)
class PaginaReservas:
    """Una página, de la más nueva a la más vieja; `siguiente` lleva a la que sigue, None si es la última."""

    reservas: tuple[ReservaDTO, ...]
    siguiente: str | None
