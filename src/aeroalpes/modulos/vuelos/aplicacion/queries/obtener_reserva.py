"""Una reserva por su id."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.vuelos.aplicacion.dto import ReservaDTO
from aeroalpes.modulos.vuelos.aplicacion.puertos import VistaReservas
from seedwork.aplicacion.queries import Query


@dataclass(frozen=True, kw_only=True)
class ObtenerReserva(Query[ReservaDTO]):
    id: UUID


def obtener_reserva(query: ObtenerReserva, vista: VistaReservas) -> ReservaDTO:
    return vista.por_id(query.id)
