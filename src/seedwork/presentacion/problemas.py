"""Errores como problem+json (RFC 9457): una tabla dice qué estado HTTP es cada error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from flask import Flask, Response, request
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as SinConexiones
from werkzeug.exceptions import HTTPException

from seedwork.aplicacion.diferidas import EjecucionesProhibidas
from seedwork.aplicacion.mensajes import HuellaDistinta, YaProcesada
from seedwork.aplicacion.sagas.seguimiento import CursorInvalido
from seedwork.dominio.excepciones import (
    ConflictoConcurrencia,
    ExcepcionDominio,
    NoEncontrado,
    ReglaIncumplida,
    YaExiste,
)
from seedwork.infraestructura.base_datos import BaseOcupada, SoloLectura
from seedwork.infraestructura.brokers import BrokerCerrado, BrokerNoDisponible, MensajeNoPublicable
from seedwork.infraestructura.codificacion import a_json
from seedwork.infraestructura.inquilinos import BaseSinMigrar, SchemaInexistente, SchemaInvalido, SinInquilino
from seedwork.infraestructura.publicador import FueraDeMarcha
from seedwork.presentacion.peticiones import PeticionInvalida

TIPO = "application/problem+json"
_log = structlog.get_logger(__name__)

ESTADOS: dict[type[Exception], int] = {
    PeticionInvalida: 400,
    CursorInvalido: 400,
    SinInquilino: 400,
    SchemaInvalido: 400,
    SoloLectura: 403,
    EjecucionesProhibidas: 403,
    NoEncontrado: 404,
    SchemaInexistente: 404,
    YaExiste: 409,
    YaProcesada: 409,
    ConflictoConcurrencia: 409,
    ExcepcionDominio: 422,
    HuellaDistinta: 422,
    MensajeNoPublicable: 422,
    BaseOcupada: 503,
    BaseSinMigrar: 503,
    BrokerNoDisponible: 503,
    BrokerCerrado: 503,
    FueraDeMarcha: 503,
}
"""Lo que quien pide puede entender o arreglar; lo demás es un fallo de aquí: sale como 500 y queda registrado."""
_SIN_BASE = (OperationalError, InterfaceError, SinConexiones)
_TITULOS = {
    400: "Petición mal formada",
    403: "No permitido",
    404: "No encontrado",
    405: "Método no permitido",
    409: "Conflicto",
    413: "Demasiado grande",
    415: "Tipo de contenido no admitido",
    422: "No se puede hacer",
    500: "Error interno",
    503: "No disponible",
}


def problema(estado: int, detalle: str, **mas: Any) -> Response:
    """Una respuesta problem+json; `detalle` es una frase para una persona."""
    cuerpo = {"type": "about:blank", "title": _TITULOS.get(estado, "Error"), "status": estado, "detail": detalle, **mas}
    return Response(a_json(cuerpo), status=estado, content_type=TIPO)


def instalar(app: Flask, estados: Mapping[type[Exception], int] | None = None) -> None:
    """Hace que todo error de `app` salga como problem+json; `estados` añade los propios de la aplicación."""
    for tipo, estado in {**ESTADOS, **(estados or {})}.items():
        app.register_error_handler(tipo, _manejador(estado))
    for tipo in _SIN_BASE:
        app.register_error_handler(tipo, _sin_base)
    app.register_error_handler(HTTPException, _de_http)
    if not app.debug:
        app.register_error_handler(Exception, _inesperado)


def _manejador(estado: int) -> Any:
    def responder(error: Exception) -> Response:
        if isinstance(error, PeticionInvalida):
            errores = [{"pointer": f"#/{donde}" if donde else "#", "detail": que} for donde, que in error.fallos]
            return problema(estado, str(error), errors=errores)
        mas = {"regla": error.regla} if isinstance(error, ReglaIncumplida) else {}
        return _vuelva(problema(estado, str(error), **mas)) if estado == 503 else problema(estado, str(error), **mas)

    return responder


def _vuelva(respuesta: Response) -> Response:
    respuesta.headers["Retry-After"] = "1"
    return respuesta


def _de_http(error: HTTPException) -> Any:
    if error.response is not None or error.code is None or error.code < 400:
        return error
    respuesta = problema(error.code, _DETALLES.get(error.code) or error.description or error.name)
    for nombre, valor in error.get_headers(request.environ):
        if nombre not in ("Content-Type", "Content-Length"):
            respuesta.headers[nombre] = valor
    return respuesta


def _sin_base(error: Exception) -> Response:
    _log.error("http.sin_base_de_datos", metodo=request.method, ruta=request.path, error=str(error))
    return _vuelva(problema(503, "La base de datos no responde; vuelva a intentarlo"))


def _inesperado(error: Exception) -> Response:
    _log.exception("http.error", metodo=request.method, ruta=request.path, exc_info=error)
    return problema(500, "Algo falló de nuestro lado; quedó registrado")


_DETALLES = {
    404: "No hay nada en esa dirección",
    405: "Esa dirección no admite ese método",
    413: "El cuerpo es más grande de lo que se admite",
}
