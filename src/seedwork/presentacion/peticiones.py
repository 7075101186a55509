"""Leer una petición sin confiar en ella."""

from __future__ import annotations

import hashlib
import re
from typing import Any, TypeVar

from flask import Response, request
from pydantic import BaseModel
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from seedwork.aplicacion.mensajes import Entrada

M = TypeVar("M", bound=BaseModel)

_CLAVE = re.compile(r"[\x21-\x7e]{1,255}")


def leer_cuerpo(modelo: type[M]) -> M:
    """El cuerpo como `modelo`; lo que no lo es da un 400, y otro tipo de contenido que JSON, un 415."""
    if not request.is_json:
        raise UnsupportedMediaType("El cuerpo debe ser application/json")
    return modelo.model_validate_json(request.get_data())


def leer_parametros(modelo: type[M]) -> M:
    """Los parámetros de la URL como `modelo`; uno repetido cuenta por el primero."""
    return modelo.model_validate(request.args.to_dict())


def entrada_idempotente(ambito: str) -> Entrada | None:
    """La `Idempotency-Key` de la petición como entrada del inbox; None si no la trae.

    La misma clave con otro cuerpo es otra petición: la huella las distingue.
    """
    clave = request.headers.get("Idempotency-Key")
    if clave is None:
        return None
    if not _CLAVE.fullmatch(clave):
        raise BadRequest("Idempotency-Key lleva entre 1 y 255 caracteres ASCII visibles")
    huella = hashlib.sha256(request.get_data()).hexdigest()
    return Entrada(suscripcion=f"http:{ambito}", id=clave, huella=huella)


def responder(modelo: BaseModel, estado: int = 200, **cabeceras: Any) -> Response:
    """Una respuesta JSON con el contrato `modelo`."""
    return Response(modelo.model_dump_json(), estado, cabeceras, content_type="application/json")
