"""Pagos por HTTP: qué se cobró de una reserva y por qué."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response
from spectree import Response as Respuestas

from aeroalpes.api import contratos
from aeroalpes.api.ejecucion import bus
from aeroalpes.api.spec import SPEC
from aeroalpes.modulos.pagos.aplicacion.queries.obtener_pago import ObtenerPago
from seedwork.presentacion.peticiones import responder

rutas = Blueprint("pagos", __name__, url_prefix="/pagos")


@rutas.get("/<uuid:id_reserva>")
@SPEC.validate(
    resp=Respuestas(HTTP_200=contratos.Pago, HTTP_404=contratos.Problema, HTTP_503=contratos.Problema),
    skip_validation=True,
    tags=["pagos"],
    operation_id="obtener_pago",
)
def obtener_pago(id_reserva: UUID) -> Response:
    """El pago de una reserva, con sus movimientos."""
    pago = bus().ejecutar(ObtenerPago(id_reserva=id_reserva))
    return responder(contratos.Pago.model_validate(pago, from_attributes=True))
