"""El mapa por HTTP: qué publica y qué atiende cada contexto del servicio."""

from __future__ import annotations

from flask import Blueprint, Response
from spectree import Response as Respuestas

from aeroalpes.api import contratos
from aeroalpes.api.ejecucion import bus
from aeroalpes.api.spec import SPEC
from aeroalpes.composicion import SERVICIO
from seedwork.presentacion.mapa import mapa
from seedwork.presentacion.peticiones import responder

rutas = Blueprint("mapa", __name__)


@rutas.get("/mapa")
@SPEC.validate(resp=Respuestas(HTTP_200=contratos.Mapa), skip_validation=True, tags=["mapa"], operation_id="mapa")
def ver_mapa() -> Response:
    """Quién publica en cada tópico, y quién lo atiende, según las tablas de los módulos."""
    return responder(contratos.Mapa.model_validate({"contextos": mapa(bus().modulos, SERVICIO)}))
