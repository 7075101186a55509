"""Leer una petición sin confiar en ella."""

from __future__ import annotations

import hashlib
import re
import sys
from typing import Any, TypeVar

from flask import Response, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from seedwork.aplicacion.mensajes import Entrada

M = TypeVar("M", bound=BaseModel)


class PeticionInvalida(Exception):
    """Lo que vino no es lo que el contrato pide; `fallos` dice dónde y por qué, sin repetir lo que vino."""

    def __init__(self, error: ValidationError) -> None:
        self.fallos = [
            ("/".join(_escapar(parte) for parte in fallo["loc"]), fallo["msg"].removeprefix("Value error, "))
            for fallo in error.errors(include_url=False, include_context=False, include_input=False)[:20]
        ]
        donde, que = self.fallos[0]
        super().__init__(f"{donde}: {que}" if donde else que)


_CLAVE = re.compile(r"[\x21-\x7e]{1,255}")


def leer_cuerpo(modelo: type[M]) -> M:
    """El cuerpo como `modelo`; lo que no lo es da un 400; otro tipo que JSON, un 415; uno muy grande, un 413."""
    if not request.is_json:
        raise UnsupportedMediaType("El cuerpo debe ser application/json")
    cuerpo = request.get_data()
    # De un cuerpo troceado que pasa del máximo, werkzeug entrega el principio sin decir que lo cortó.
    if request.content_length is None and len(cuerpo) >= (request.max_content_length or sys.maxsize):
        raise RequestEntityTooLarge
    try:
        return modelo.model_validate_json(cuerpo)
    except ValidationError as error:
        raise PeticionInvalida(error) from error


def leer_parametros(modelo: type[M]) -> M:
    """Los parámetros de la URL como `modelo`; uno repetido cuenta por el primero."""
    try:
        return modelo.model_validate(request.args.to_dict())
    except ValidationError as error:
        raise PeticionInvalida(error) from error


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


def _escapar(parte: Any) -> str:
    return str(parte).replace("~", "~0").replace("/", "~1")
