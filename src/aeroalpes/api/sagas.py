"""Sagas por HTTP: por dónde va cada reserva, qué se hizo y qué se deshizo, y reanudar la que se detuvo.

Con las reservas coreografiadas se ven las que hubiera de antes, y se dice que no habrá más.
"""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, request
from spectree import Response as Respuestas

from aeroalpes.api import contratos
from aeroalpes.api.ejecucion import bus
from aeroalpes.api.spec import SPEC
from aeroalpes.modulos.sagas.aplicacion.reservar import RESERVAR
from seedwork.aplicacion.sagas.maquina import EstadoSaga
from seedwork.aplicacion.sagas.seguimiento import ListarSagas, ObtenerSaga, ReanudarSaga, SagaDTO
from seedwork.dominio.excepciones import NoEncontrado
from seedwork.presentacion.peticiones import leer_parametros, responder
from seedwork.presentacion.problemas import problema

rutas = Blueprint("sagas", __name__, url_prefix="/sagas")


@rutas.get("")
@SPEC.validate(
    query=contratos.ParametrosSagas,
    resp=Respuestas(HTTP_200=contratos.PaginaSagas, HTTP_400=contratos.Problema, HTTP_503=contratos.Problema),
    skip_validation=True,
    tags=["sagas"],
    operation_id="listar_sagas",
)
def listar_sagas() -> Response:
    """Las sagas, de la que cambió hace menos a la que hace más; con `estado`, sólo las que están así."""
    parametros = leer_parametros(contratos.ParametrosSagas)
    pagina = bus().ejecutar(
        ListarSagas(
            saga=RESERVAR.nombre,
            estado=EstadoSaga(parametros.estado) if parametros.estado else None,
            limite=parametros.limite,
            cursor=parametros.cursor,
        )
    )
    resumidas = [contratos.SagaResumida.model_validate(_campos(saga), from_attributes=True) for saga in pagina.sagas]
    return responder(contratos.PaginaSagas(manera=_manera(), sagas=resumidas, siguiente=pagina.siguiente))


@rutas.get("/<uuid:id_reserva>")
@SPEC.validate(
    resp=Respuestas(HTTP_200=contratos.Saga, HTTP_404=contratos.Problema, HTTP_503=contratos.Problema),
    skip_validation=True,
    tags=["sagas"],
    operation_id="obtener_saga",
)
def obtener_saga(id_reserva: UUID) -> Response:
    """La saga de una reserva: cada paso con su estado, y su diario."""
    return _responder(id_reserva)


@rutas.post("/<uuid:id_reserva>/reanudar")
@SPEC.validate(
    resp=Respuestas(
        HTTP_200=contratos.Saga,
        HTTP_404=contratos.Problema,
        HTTP_409=contratos.Problema,
        HTTP_422=contratos.Problema,
        HTTP_503=contratos.Problema,
    ),
    skip_validation=True,
    tags=["sagas"],
    operation_id="reanudar_saga",
)
def reanudar_saga(id_reserva: UUID) -> Response:
    """Vuelve a intentar la compensación que detuvo a la saga de una reserva, y responde con cómo queda."""
    bus().ejecutar(ReanudarSaga(saga=RESERVAR.nombre, clave=str(id_reserva)))
    return _responder(id_reserva)


@rutas.errorhandler(NoEncontrado)
def sin_saga(error: NoEncontrado) -> Response:
    """No la hay, y si las reservas se coreografían, tampoco la habrá: se dice, y dónde mirar en su lugar."""
    if _manera() == "orquestada":
        return problema(404, str(error))
    donde = f"/vuelos/reserva/{(request.view_args or {})['id_reserva']}"
    return problema(
        404,
        "No tiene saga: las reservas se coreografían (AEROALPES_SAGA=coreografiada), y cómo va se ve en " + donde,
        manera="coreografiada",
    )


def _manera() -> contratos.Manera:
    suyas = [saga for modulo in bus().modulos for saga in modulo.sagas if saga.nombre == RESERVAR.nombre]
    return "orquestada" if any(saga.empieza for saga in suyas) else "coreografiada"


def _responder(id_reserva: UUID) -> Response:
    vista = bus().ejecutar(ObtenerSaga(saga=RESERVAR.nombre, clave=str(id_reserva)))
    return responder(
        contratos.Saga.model_validate({**_campos(vista.saga), "diario": vista.diario}, from_attributes=True)
    )


def _campos(saga: SagaDTO) -> dict[str, object]:
    return {**vars(saga), "id_reserva": UUID(saga.clave)}
