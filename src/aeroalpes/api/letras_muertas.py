"""Las letras muertas del servicio, en `/letras-muertas`: las rutas son de seedwork; aquí se describen y se guardan."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, request
from spectree import Response as Respuestas

from aeroalpes.api import contratos
from aeroalpes.api.spec import SPEC
from aeroalpes.composicion import EnMarcha
from seedwork.presentacion.letras_muertas import letras_muertas
from seedwork.presentacion.problemas import problema

_PROBLEMAS = {"HTTP_404": contratos.Problema, "HTTP_503": contratos.Problema}
_DECIDIR = Respuestas("HTTP_204", HTTP_403=contratos.Problema, **_PROBLEMAS)
_RESPUESTAS = {
    "listar": Respuestas(HTTP_200=contratos.LetrasMuertas, HTTP_400=contratos.Problema, HTTP_503=contratos.Problema),
    "ver": Respuestas(HTTP_200=contratos.LetraMuertaEntera, **_PROBLEMAS),
    "reenviar": _DECIDIR,
    "descartar": _DECIDIR,
}


def instalar(app: Flask, en_marcha: EnMarcha) -> None:
    """Las registra en `app` y las describe en la OpenAPI."""
    plano = letras_muertas(en_marcha.mensajeria)
    plano.before_request(_sin_navegador)
    app.register_blueprint(plano, url_prefix="/letras-muertas")
    _describir(app, plano)


def _sin_navegador() -> Response | None:
    """Reenviar no lleva cuerpo, y por eso la página de cualquier sitio podría pedirlo sin permiso: sólo un navegador
    manda `Origin`, y el de esta suite pasa antes por el servidor de su página."""
    if request.method in ("GET", "HEAD", "OPTIONS") or "Origin" not in request.headers:
        return None
    return problema(403, "Desde un navegador, las letras muertas se deciden en la página de la suite")


def _describir(app: Flask, plano: Blueprint) -> None:
    for nombre, respuestas in _RESPUESTAS.items():
        punto = f"{plano.name}.{nombre}"
        app.view_functions[punto] = SPEC.validate(
            query=contratos.ParametrosLetras if nombre == "listar" else None,
            resp=respuestas,
            skip_validation=True,
            tags=["letras muertas"],
            operation_id=f"{nombre}_letras_muertas" if nombre == "listar" else f"{nombre}_letra_muerta",
        )(app.view_functions[punto])
