"""Clientes por HTTP: alta, lectura, cambio y baja."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, url_for
from spectree import Response as Respuestas

from aeroalpes.api import contratos
from aeroalpes.api.ejecucion import bus, ejecutar
from aeroalpes.api.spec import SPEC
from aeroalpes.modulos.cliente.aplicacion.comandos.cambiar_cliente import CambiarCliente
from aeroalpes.modulos.cliente.aplicacion.comandos.crear_cliente import CrearCliente
from aeroalpes.modulos.cliente.aplicacion.comandos.eliminar_cliente import EliminarCliente
from aeroalpes.modulos.cliente.aplicacion.queries.obtener_cliente import ObtenerCliente
from seedwork.presentacion.peticiones import leer_cuerpo, responder

rutas = Blueprint("cliente", __name__, url_prefix="/clientes")

_ERRORES = {
    "HTTP_400": contratos.Problema,
    "HTTP_409": contratos.Problema,
    "HTTP_413": contratos.Problema,
    "HTTP_415": contratos.Problema,
    "HTTP_503": contratos.Problema,
}


@rutas.post("")
@SPEC.validate(
    json=contratos.ClienteNuevo,
    headers=contratos.CabecerasPost,
    resp=Respuestas(HTTP_201=contratos.Cliente, HTTP_422=contratos.Problema, **_ERRORES),
    skip_validation=True,
    tags=["clientes"],
    operation_id="crear_cliente",
)
def crear_cliente() -> Response:
    """Da de alta a un cliente; con el correo de otro, 409."""
    cuerpo = leer_cuerpo(contratos.ClienteNuevo)
    id = ejecutar(CrearCliente(nombre=cuerpo.nombre, correo=cuerpo.correo), "POST /clientes")
    cliente = contratos.Cliente(id=id, nombre=cuerpo.nombre, correo=cuerpo.correo)
    return responder(cliente, 201, Location=url_for("cliente.obtener_cliente", id=id, _external=False))


@rutas.get("/<uuid:id>")
@SPEC.validate(
    resp=Respuestas(HTTP_200=contratos.Cliente, HTTP_404=contratos.Problema, HTTP_503=contratos.Problema),
    skip_validation=True,
    tags=["clientes"],
    operation_id="obtener_cliente",
)
def obtener_cliente(id: UUID) -> Response:
    """Un cliente."""
    cliente = bus().ejecutar(ObtenerCliente(id=id))
    return responder(contratos.Cliente.model_validate(cliente, from_attributes=True))


@rutas.put("/<uuid:id>")
@SPEC.validate(
    json=contratos.ClienteNuevo,
    resp=Respuestas(HTTP_200=contratos.Cliente, HTTP_404=contratos.Problema, **_ERRORES),
    skip_validation=True,
    tags=["clientes"],
    operation_id="cambiar_cliente",
)
def cambiar_cliente(id: UUID) -> Response:
    """Cambia todos los datos de un cliente; con el correo de otro, 409."""
    cuerpo = leer_cuerpo(contratos.ClienteNuevo)
    bus().ejecutar(CambiarCliente(id=id, nombre=cuerpo.nombre, correo=cuerpo.correo))
    return responder(contratos.Cliente(id=id, nombre=cuerpo.nombre, correo=cuerpo.correo))


@rutas.delete("/<uuid:id>")
@SPEC.validate(
    resp=Respuestas(HTTP_204=None, HTTP_404=contratos.Problema, HTTP_503=contratos.Problema),
    skip_validation=True,
    tags=["clientes"],
    operation_id="eliminar_cliente",
)
def eliminar_cliente(id: UUID) -> Response:
    """Olvida a un cliente; sus reservas siguen."""
    bus().ejecutar(EliminarCliente(id=id))
    return Response(status=204)
