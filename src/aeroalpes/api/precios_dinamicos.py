"""Precios por HTTP: cuánto cuesta hoy una ruta, y cuánto se ha reservado."""

from __future__ import annotations

from flask import Blueprint, Response
from spectree import Response as Respuestas

from aeroalpes.api import contratos
from aeroalpes.api.ejecucion import bus
from aeroalpes.api.spec import SPEC
from aeroalpes.modulos.precios_dinamicos.aplicacion.queries.obtener_historia import ObtenerHistoria
from aeroalpes.modulos.precios_dinamicos.aplicacion.queries.obtener_precio import ObtenerPrecio
from seedwork.presentacion.peticiones import leer_parametros, responder

rutas = Blueprint("precios", __name__, url_prefix="/precios")


@rutas.get("")
@SPEC.validate(
    query=contratos.ParametrosPrecio,
    resp=Respuestas(
        HTTP_200=contratos.Precio,
        HTTP_400=contratos.Problema,
        HTTP_422=contratos.Problema,
        HTTP_503=contratos.Problema,
    ),
    skip_validation=True,
    tags=["precios"],
    operation_id="obtener_precio",
)
def obtener_precio() -> Response:
    """Lo que cuesta hoy una ruta; sube con lo que se reserva y baja con lo que se cancela."""
    parametros = leer_parametros(contratos.ParametrosPrecio)
    precio = bus().ejecutar(ObtenerPrecio(origen=parametros.origen, destino=parametros.destino))
    return responder(contratos.Precio.model_validate(precio, from_attributes=True))


@rutas.get("/historia")
@SPEC.validate(
    query=contratos.ParametrosPrecio,
    resp=Respuestas(
        HTTP_200=contratos.Historia,
        HTTP_400=contratos.Problema,
        HTTP_422=contratos.Problema,
        HTTP_503=contratos.Problema,
    ),
    skip_validation=True,
    tags=["precios"],
    operation_id="obtener_historia",
)
def obtener_historia() -> Response:
    """Cuánto se ha reservado una ruta, día a día."""
    parametros = leer_parametros(contratos.ParametrosPrecio)
    historia = bus().ejecutar(ObtenerHistoria(origen=parametros.origen, destino=parametros.destino))
    return responder(contratos.Historia.model_validate(historia, from_attributes=True))
