"""Sagas por HTTP: por dónde va una reserva, qué se hizo y qué se deshizo."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response
from spectree import Response as Respuestas

from aeroalpes.api import contratos
from aeroalpes.api.ejecucion import bus
from aeroalpes.api.spec import SPEC
from aeroalpes.modulos.sagas.aplicacion.reservar import RESERVAR
from seedwork.aplicacion.sagas.seguimiento import ObtenerSaga
from seedwork.presentacion.peticiones import responder

rutas = Blueprint("sagas", __name__, url_prefix="/sagas")


@rutas.get("/<uuid:id_reserva>")
@SPEC.validate(
    resp=Respuestas(HTTP_200=contratos.Saga, HTTP_404=contratos.Problema, HTTP_503=contratos.Problema),
    skip_validation=True,
    tags=["sagas"],
    operation_id="obtener_saga",
)
def obtener_saga(id_reserva: UUID) -> Response:
    """La saga de una reserva: cada paso con su estado, y su diario."""
    vista = bus().ejecutar(ObtenerSaga(saga=RESERVAR.nombre, clave=str(id_reserva)))
    return responder(
        contratos.Saga.model_validate(
            {**vars(vista.saga), "id_reserva": id_reserva, "diario": vista.diario}, from_attributes=True
        )
    )
