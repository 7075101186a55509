"""El pago de una reserva, con sus movimientos."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.pagos.aplicacion.dto import PagoDTO
from aeroalpes.modulos.pagos.aplicacion.puertos import VistaPagos
from seedwork.aplicacion.queries import Query


@dataclass(frozen=True, kw_only=True)
class ObtenerPago(Query[PagoDTO]):
    id_reserva: UUID


def obtener_pago(query: ObtenerPago, vista: VistaPagos) -> PagoDTO:
    return vista.de_reserva(query.id_reserva)
