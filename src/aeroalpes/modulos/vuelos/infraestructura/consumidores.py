"""Lo que vuelos recibe del broker: cada mensaje se traduce a un comando del módulo, y nada más."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from aeroalpes.modulos.pagos.infraestructura.schema.v1 import eventos as eventos_pago
from aeroalpes.modulos.vuelos.aplicacion.comandos.aprobar_reserva import AprobarReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.cancelar_reserva import CancelarReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.registrar_pago import RegistrarPago
from aeroalpes.modulos.vuelos.aplicacion.dto import (
    AeropuertoDTO,
    HotelDTO,
    ItinerarioDTO,
    LegDTO,
    OdoDTO,
    SegmentoDTO,
    VehiculoDTO,
)
from aeroalpes.modulos.vuelos.infraestructura.fechas import de_ms
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos
from seedwork.aplicacion.comandos import Comando
from seedwork.infraestructura.declaracion import message_handler
from seedwork.infraestructura.politica import ErrorPermanente, Reintentos


@message_handler(
    comandos.TOPICO,
    suscripcion="aeroalpes-sub-comandos",
    reintentos=Reintentos(maximo=6, espera_s=0.5, factor=2),
    permanentes=(ValueError, OverflowError),  # un id o una fecha que no lo son no mejoran con el tiempo
)
def al_recibir_comando(mensaje: comandos.ComandosReserva) -> Comando[UUID] | Comando[None]:
    variantes = [
        (traducir, variante)
        for campo, traducir in _TRADUCCION.items()
        if (variante := getattr(mensaje, campo)) is not None
    ]
    if len(variantes) != 1:
        raise ErrorPermanente(f"El comando {mensaje.type!r} trae {len(variantes)} variantes: debe traer una")
    traducir, variante = variantes[0]
    return traducir(variante)


@message_handler(eventos_pago.TOPICO, suscripcion="aeroalpes-sub-eventos", permanentes=(ValueError,))
def al_confirmarse_pago(evento: eventos_pago.EventosPago) -> Comando[None] | None:
    """De lo que le pasa a un pago, a la reserva sólo le importa que se haya cobrado."""
    return RegistrarPago(id_reserva=UUID(evento.reserva_pagada.id_reserva)) if evento.reserva_pagada else None


def _crear(comando: comandos.CrearReserva) -> CrearReserva:
    return CrearReserva(
        id=UUID(comando.id_reserva),
        id_cliente=UUID(comando.id_cliente) if comando.id_cliente else None,
        itinerarios=tuple(_itinerario(itinerario) for itinerario in comando.itinerarios),
        pasajeros=tuple(comando.pasajeros),
        medio_pago=comando.medio_pago,
        hotel=HotelDTO(hotel.hotel, date.fromisoformat(hotel.fecha)) if (hotel := comando.hotel) else None,
        vehiculo=VehiculoDTO(coche.dias, coche.edad_conductor) if (coche := comando.vehiculo) else None,
    )


def _itinerario(itinerario: comandos.Itinerario) -> ItinerarioDTO:
    return ItinerarioDTO(
        tuple(
            OdoDTO(tuple(SegmentoDTO(tuple(_leg(leg) for leg in segmento.legs)) for segmento in odo.segmentos))
            for odo in itinerario.odos
        )
    )


def _leg(leg: comandos.Leg) -> LegDTO:
    return LegDTO(
        de_ms(leg.fecha_salida),
        de_ms(leg.fecha_llegada),
        AeropuertoDTO(leg.origen.codigo, leg.origen.nombre),
        AeropuertoDTO(leg.destino.codigo, leg.destino.nombre),
    )


_TRADUCCION: dict[str, Callable[[Any], Comando[UUID] | Comando[None]]] = {
    "crear_reserva": _crear,
    "registrar_pago": lambda c: RegistrarPago(id_reserva=UUID(c.id_reserva)),
    "aprobar_reserva": lambda c: AprobarReserva(id_reserva=UUID(c.id_reserva)),
    "cancelar_reserva": lambda c: CancelarReserva(id_reserva=UUID(c.id_reserva), motivo=c.motivo),
}
