"""La OpenAPI 3.1 en `/spec`, sacada de los contratos y de las rutas."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify
from spectree import Response as Respuestas
from spectree import SpecTree

from aeroalpes.api.contratos import Descripcion, Problema
from seedwork.presentacion.problemas import TIPO

SPEC = SpecTree(
    "flask",
    title="AeroAlpes",
    version="1.0.0",
    description="Reservas de vuelos de la agencia AeroAlpes.",
    validation_error_status=400,
    validation_error_model=Problema,
    naming_strategy=lambda modelo: modelo.__name__,
    nested_naming_strategy=lambda _padre, hijo: hijo,
    page_templates={},
)
rutas = Blueprint("spec", __name__)


def instalar(app: Flask) -> None:
    """Publica `/spec` una vez que `app` tiene todas sus rutas."""
    app.register_blueprint(rutas)
    SPEC.app = app
    app.extensions["spec"] = None


@rutas.get("/spec")
@SPEC.validate(resp=Respuestas(HTTP_200=Descripcion), skip_validation=True, tags=["contrato"], operation_id="spec")
def spec() -> Response:
    """La descripción del API."""
    if current_app.extensions["spec"] is None:
        current_app.extensions["spec"] = _completar(SPEC.spec)
    return jsonify(current_app.extensions["spec"])


def _completar(documento: dict[str, Any]) -> dict[str, Any]:
    """Los errores salen como problem+json y no como JSON corriente."""
    problema = {"$ref": "#/components/schemas/Problema"}
    for metodos in documento["paths"].values():
        for operacion in metodos.values():
            for respuesta in operacion["responses"].values():
                contenido = respuesta.get("content", {})
                if contenido.get("application/json", {}).get("schema") == problema:
                    respuesta["content"] = {TIPO: {"schema": problema}}
    return documento
