"""De lo que pasa en vuelos a lo que vuelos publica."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva
from aeroalpes.modulos.vuelos.aplicacion.dto import HotelDTO, ItinerarioDTO, LegDTO, VehiculoDTO
from aeroalpes.modulos.vuelos.dominio import eventos as dominio
from aeroalpes.modulos.vuelos.dominio.objetos_valor import EstadoReserva, Hotel, Leg, Vehiculo
from aeroalpes.modulos.vuelos.dominio.tarifas import MONEDA
from aeroalpes.modulos.vuelos.infraestructura.fechas import a_ms
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos
from seedwork.aplicacion.mensajes import Despachador
from seedwork.dominio.eventos import EventoDominio
from seedwork.infraestructura.outbox import Servicio
from seedwork.infraestructura.schema.v1.mensajes import sobre

H = TypeVar("H", comandos.Hotel, eventos.Hotel)
V = TypeVar("V", comandos.Vehiculo, eventos.Vehiculo)


def publicar(evento: EventoDominio, despachador: Despachador, servicio: Servicio) -> None:
    """Deja en el outbox el evento de integración de un evento de dominio; su id es el del mensaje."""
    variante, traducir = _TRADUCCION[type(evento)]
    contenido = traducir(evento)
    despachador.publicar(
        eventos.EventosReserva(
            **sobre(type(evento).__name__, servicio, id=str(evento.id), time=a_ms(evento.fecha)),
            **{variante: contenido},
        ),
        topico=eventos.TOPICO,
        clave=contenido.id_reserva,
    )


class DespachadorComandosReserva:
    """Implementa `DespachadorComandos`: el comando viaja por el broker hasta el propio módulo."""

    def __init__(self, despachador: Despachador, servicio: Servicio) -> None:
        self._despachador = despachador
        self._servicio = servicio

    def pedir(self, comando: CrearReserva) -> None:
        self._despachador.publicar(
            comandos.ComandosReserva(
                **sobre("CrearReserva", self._servicio),
                crear_reserva=comandos.CrearReserva(
                    id_reserva=str(comando.id),
                    id_cliente=str(comando.id_cliente) if comando.id_cliente else None,
                    itinerarios=[_itinerario(itinerario) for itinerario in comando.itinerarios],
                    pasajeros=list(comando.pasajeros),
                    medio_pago=comando.medio_pago,
                    hotel=_hotel(comandos.Hotel, comando.hotel),
                    vehiculo=_vehiculo(comandos.Vehiculo, comando.vehiculo),
                ),
            ),
            topico=comandos.TOPICO,
            clave=str(comando.id),
        )


def _comunes(evento: Any, estado: EstadoReserva) -> dict[str, Any]:
    return {
        "id_reserva": str(evento.id_reserva),
        "id_cliente": str(evento.id_cliente) if evento.id_cliente else None,
        "estado": str(estado),
    }


def _creada(evento: dominio.ReservaCreada) -> eventos.ReservaCreada:
    return eventos.ReservaCreada(
        **_comunes(evento, EstadoReserva.PENDIENTE),
        fecha_creacion=a_ms(evento.fecha_creacion),
        tramos=[_tramo(leg) for leg in evento.legs],
        monto=evento.monto,
        medio_pago=evento.medio_pago,
        moneda=MONEDA,
        hotel=_hotel(eventos.Hotel, evento.hotel),
        vehiculo=_vehiculo(eventos.Vehiculo, evento.vehiculo),
    )


def _pagada(evento: dominio.ReservaPagada) -> eventos.ReservaPagada:
    return eventos.ReservaPagada(**_comunes(evento, EstadoReserva.PAGADA), fecha_actualizacion=a_ms(evento.fecha))


def _aprobada(evento: dominio.ReservaAprobada) -> eventos.ReservaAprobada:
    return eventos.ReservaAprobada(**_comunes(evento, EstadoReserva.APROBADA), fecha_actualizacion=a_ms(evento.fecha))


def _cancelada(evento: dominio.ReservaCancelada) -> eventos.ReservaCancelada:
    return eventos.ReservaCancelada(
        **_comunes(evento, EstadoReserva.CANCELADA), fecha_actualizacion=a_ms(evento.fecha), motivo=evento.motivo
    )


def _fallida(evento: dominio.AprobacionFallida) -> eventos.AprobacionFallida:
    return eventos.AprobacionFallida(
        **_comunes(evento, EstadoReserva(evento.estado)), fecha_actualizacion=a_ms(evento.fecha), motivo=evento.motivo
    )


def _tramo(leg: Leg) -> eventos.Tramo:
    return eventos.Tramo(
        origen=leg.origen.codigo,
        destino=leg.destino.codigo,
        fecha_salida=a_ms(leg.fecha_salida),
        fecha_llegada=a_ms(leg.fecha_llegada),
    )


_TRADUCCION: dict[type[EventoDominio], tuple[str, Callable[[Any], Any]]] = {
    dominio.ReservaCreada: ("reserva_creada", _creada),
    dominio.ReservaPagada: ("reserva_pagada", _pagada),
    dominio.ReservaAprobada: ("reserva_aprobada", _aprobada),
    dominio.ReservaCancelada: ("reserva_cancelada", _cancelada),
    dominio.AprobacionFallida: ("aprobacion_fallida", _fallida),
}


def _hotel(tipo: type[H], hotel: Hotel | HotelDTO | None) -> H | None:
    return tipo(hotel=hotel.hotel, fecha=hotel.fecha.isoformat()) if hotel else None


def _vehiculo(tipo: type[V], vehiculo: Vehiculo | VehiculoDTO | None) -> V | None:
    return tipo(dias=vehiculo.dias, edad_conductor=vehiculo.edad_conductor) if vehiculo else None


def _itinerario(dto: ItinerarioDTO) -> comandos.Itinerario:
    return comandos.Itinerario(
        odos=[
            comandos.Odo(
                segmentos=[comandos.Segmento(legs=[_leg(leg) for leg in segmento.legs]) for segmento in odo.segmentos]
            )
            for odo in dto.odos
        ]
    )


def _leg(dto: LegDTO) -> comandos.Leg:
    return comandos.Leg(
        fecha_salida=a_ms(dto.fecha_salida),
        fecha_llegada=a_ms(dto.fecha_llegada),
        origen=comandos.Locacion(codigo=dto.origen.codigo, nombre=dto.origen.nombre),
        destino=comandos.Locacion(codigo=dto.destino.codigo, nombre=dto.destino.nombre),
    )
