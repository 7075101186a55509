"""Vuelos por HTTP: de JSON a mensaje y de vuelta."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, url_for
from spectree import Response as Respuestas

from aeroalpes.api import contratos
from aeroalpes.api.ejecucion import bus, ejecutar
from aeroalpes.api.spec import SPEC
from aeroalpes.modulos.vuelos.aplicacion import dto
from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.solicitar_reserva import SolicitarReserva
from aeroalpes.modulos.vuelos.aplicacion.queries.listar_reservas import ListarReservas
from aeroalpes.modulos.vuelos.aplicacion.queries.obtener_reserva import ObtenerReserva
from seedwork.presentacion.peticiones import leer_cuerpo, leer_parametros, responder

rutas = Blueprint("vuelos", __name__, url_prefix="/vuelos")

_ERRORES_POST = {
    "HTTP_400": contratos.Problema,
    "HTTP_409": contratos.Problema,
    "HTTP_413": contratos.Problema,
    "HTTP_415": contratos.Problema,
    "HTTP_422": contratos.Problema,
    "HTTP_503": contratos.Problema,
}


@rutas.post("/reserva")
@SPEC.validate(
    json=contratos.ReservaNueva,
    headers=contratos.CabecerasPost,
    resp=Respuestas(HTTP_200=contratos.Reserva, **_ERRORES_POST),
    skip_validation=True,
    tags=["vuelos"],
    operation_id="crear_reserva",
)
def crear_reserva() -> Response:
    """Reserva un viaje y responde con la reserva hecha."""
    id = ejecutar(_a_comando(leer_cuerpo(contratos.ReservaNueva)), "POST /vuelos/reserva")
    return responder(_a_contrato(bus().ejecutar(ObtenerReserva(id=id))))


@rutas.post("/reserva-comando")
@SPEC.validate(
    json=contratos.ReservaNueva,
    headers=contratos.CabecerasPost,
    resp=Respuestas(HTTP_202=contratos.ReservaAceptada, **_ERRORES_POST),
    skip_validation=True,
    tags=["vuelos"],
    operation_id="solicitar_reserva",
)
def solicitar_reserva() -> Response:
    """Acepta una reserva y responde sin esperarla.

    Cuando responde, la petición ya no se pierde; la reserva aparece en Location en cuanto el comando se ejecuta.
    """
    comando = SolicitarReserva(reserva=_a_comando(leer_cuerpo(contratos.ReservaNueva)))
    id = ejecutar(comando, "POST /vuelos/reserva-comando")
    return responder(
        contratos.ReservaAceptada(id=id), 202, Location=url_for("vuelos.consultar_reserva", id=id, _external=False)
    )


@rutas.get("/reserva/<uuid:id>")
@SPEC.validate(
    resp=Respuestas(HTTP_200=contratos.Reserva, HTTP_404=contratos.Problema, HTTP_503=contratos.Problema),
    skip_validation=True,
    tags=["vuelos"],
    operation_id="obtener_reserva",
)
def obtener_reserva(id: UUID) -> Response:
    """Una reserva."""
    return responder(_a_contrato(bus().ejecutar(ObtenerReserva(id=id))))


@rutas.get("/reserva-query/<uuid:id>")
@SPEC.validate(
    resp=Respuestas(HTTP_200=contratos.Reserva, HTTP_404=contratos.Problema, HTTP_503=contratos.Problema),
    skip_validation=True,
    tags=["vuelos"],
    operation_id="consultar_reserva",
)
def consultar_reserva(id: UUID) -> Response:
    """Una reserva, por el lado de las consultas."""
    return responder(_a_contrato(bus().ejecutar(ObtenerReserva(id=id))))


@rutas.get("/reserva")
@SPEC.validate(
    query=contratos.ParametrosPagina,
    resp=Respuestas(HTTP_200=contratos.Pagina, HTTP_400=contratos.Problema, HTTP_503=contratos.Problema),
    skip_validation=True,
    tags=["vuelos"],
    operation_id="listar_reservas",
)
def listar_reservas() -> Response:
    """Las reservas, de la más nueva a la más vieja."""
    return _pagina()


@rutas.get("/reserva-query")
@SPEC.validate(
    query=contratos.ParametrosPagina,
    resp=Respuestas(HTTP_200=contratos.Pagina, HTTP_400=contratos.Problema, HTTP_503=contratos.Problema),
    skip_validation=True,
    tags=["vuelos"],
    operation_id="consultar_reservas",
)
def consultar_reservas() -> Response:
    """Las reservas, por el lado de las consultas."""
    return _pagina()


def _pagina() -> Response:
    parametros = leer_parametros(contratos.ParametrosPagina)
    pagina = bus().ejecutar(ListarReservas(limite=parametros.limite, cursor=parametros.cursor))
    reservas = [_a_contrato(reserva) for reserva in pagina.reservas]
    return responder(contratos.Pagina(reservas=reservas, siguiente=pagina.siguiente))


def _a_comando(cuerpo: contratos.ReservaNueva) -> CrearReserva:
    return CrearReserva(
        id_cliente=cuerpo.id_cliente,
        itinerarios=tuple(_a_itinerario(itinerario) for itinerario in cuerpo.itinerarios),
        pasajeros=tuple(pasajero.tipo for pasajero in cuerpo.pasajeros),
        medio_pago=cuerpo.pago.medio if cuerpo.pago else None,
        hotel=dto.HotelDTO(hotel.hotel, hotel.fecha) if (hotel := cuerpo.hotel) else None,
        vehiculo=dto.VehiculoDTO(coche.dias, coche.edad_conductor) if (coche := cuerpo.vehiculo) else None,
    )


def _a_itinerario(itinerario: contratos.ItinerarioNuevo) -> dto.ItinerarioDTO:
    return dto.ItinerarioDTO(
        tuple(
            dto.OdoDTO(tuple(dto.SegmentoDTO(tuple(_a_leg(leg) for leg in s.legs)) for s in odo.segmentos))
            for odo in itinerario.odos
        )
    )


def _a_leg(leg: contratos.LegNuevo) -> dto.LegDTO:
    return dto.LegDTO(
        leg.fecha_salida,
        leg.fecha_llegada,
        dto.AeropuertoDTO(leg.origen.codigo, leg.origen.nombre),
        dto.AeropuertoDTO(leg.destino.codigo, leg.destino.nombre),
    )


def _a_contrato(reserva: dto.ReservaDTO) -> contratos.Reserva:
    return contratos.Reserva(
        id=reserva.id,
        id_cliente=reserva.id_cliente,
        estado=reserva.estado,  # type: ignore[arg-type] # el contrato lo comprueba
        motivo=reserva.motivo,
        fecha_creacion=reserva.fecha_creacion,
        fecha_actualizacion=reserva.fecha_actualizacion,
        itinerarios=[contratos.Itinerario.model_validate(i, from_attributes=True) for i in reserva.itinerarios],
        pasajeros=[contratos.Pasajero(tipo=tipo) for tipo in reserva.pasajeros],
        hotel=contratos.Hotel(**vars(reserva.hotel)) if reserva.hotel else None,
        vehiculo=contratos.Vehiculo.model_validate(reserva.vehiculo, from_attributes=True)
        if reserva.vehiculo
        else None,
    )
