"""Cómo está el servicio: vivo (`/health`, `/livez`) y listo (`/readyz`)."""

from __future__ import annotations

from flask import Blueprint, Response, current_app
from spectree import Response as Respuestas

from aeroalpes.api import contratos
from aeroalpes.api.spec import SPEC
from aeroalpes.composicion import EnMarcha
from seedwork.presentacion.peticiones import responder

rutas = Blueprint("salud", __name__)


@rutas.get("/health")
@SPEC.validate(resp=Respuestas(HTTP_200=contratos.Salud), skip_validation=True, tags=["salud"], operation_id="health")
def health() -> Response:
    """El proceso responde."""
    return responder(contratos.Salud())


@rutas.get("/livez")
@SPEC.validate(resp=Respuestas(HTTP_200=contratos.Salud), skip_validation=True, tags=["salud"], operation_id="livez")
def livez() -> Response:
    """El proceso responde."""
    return responder(contratos.Salud())


@rutas.get("/readyz")
@SPEC.validate(
    resp=Respuestas(HTTP_200=contratos.Preparacion, HTTP_503=contratos.Preparacion),
    skip_validation=True,
    tags=["salud"],
    operation_id="readyz",
)
def readyz() -> Response:
    """Si tiene base de datos y broker y su relay va al día; si no, 503 y qué le falta."""
    en_marcha: EnMarcha = current_app.extensions["en_marcha"]
    faltas = en_marcha.faltas()
    preparacion = contratos.Preparacion(status="down" if any(faltas.values()) else "up", **_decir(faltas))
    return responder(preparacion, 503 if any(faltas.values()) else 200)


def _decir(faltas: dict[str, str | None]) -> dict[str, str]:
    return {pieza: falta or "bien" for pieza, falta in faltas.items()}
