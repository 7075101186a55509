"""Lo que la saga oye por el broker: cada mensaje se traduce a sus palabras y se le cuenta, y nada más."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from aeroalpes.modulos.gds.infraestructura.schema.v1 import eventos as eventos_gds
from aeroalpes.modulos.hoteles.infraestructura.schema.v1 import eventos as eventos_hotel
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import eventos as eventos_pago
from aeroalpes.modulos.sagas.aplicacion import eventos
from aeroalpes.modulos.vehiculos.infraestructura.schema.v1 import eventos as eventos_vehiculo
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos as eventos_reserva
from seedwork.aplicacion.sagas.puerto import Sagas
from seedwork.infraestructura.declaracion import message_handler, on_event
from seedwork.infraestructura.politica import Reintentos
from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion

_POLITICA: dict[str, Any] = {
    "reintentos": Reintentos(maximo=8, espera_s=0.5, factor=2),
    "permanentes": (ValueError,),  # un id que no lo es no mejora con el tiempo
}


def _solo(topico: str, suscripcion: str, *nombres: str) -> Callable[[Callable[..., Any]], Any]:
    """De ese tópico, sólo esos eventos, y lo que no diga cómo se llama."""
    return on_event(*nombres, topico, topic=topico, suscripcion=suscripcion, **_POLITICA)


@_solo(eventos_reserva.TOPICO, "aeroalpes-sagas-inicio", "ReservaCreada")
def al_crearse_una_reserva(mensaje: eventos_reserva.EventosReserva, sagas: Sagas) -> None:
    """Con su propia suscripción: por muchas que empiecen a la vez, lo que ya está en marcha no espera detrás."""
    if mensaje.reserva_creada is not None:
        _contar(sagas, mensaje, _creada(mensaje.reserva_creada))


@_solo(eventos_reserva.TOPICO, "aeroalpes-sagas-reserva", "ReservaPagada", "ReservaAprobada", "AprobacionFallida")
def al_pasar_algo_a_la_reserva(mensaje: eventos_reserva.EventosReserva, sagas: Sagas) -> None:
    if mensaje.reserva_pagada is not None:
        _contar(sagas, mensaje, eventos.ReservaPagada(id_reserva=UUID(mensaje.reserva_pagada.id_reserva)))
    elif mensaje.reserva_aprobada is not None:
        _contar(sagas, mensaje, eventos.ReservaAprobada(id_reserva=UUID(mensaje.reserva_aprobada.id_reserva)))
    elif (fallida := mensaje.aprobacion_fallida) is not None:
        _contar(sagas, mensaje, eventos.AprobacionFallida(id_reserva=UUID(fallida.id_reserva), motivo=fallida.motivo))


@_solo(eventos_pago.TOPICO, "aeroalpes-sagas-pago", "PagoRechazado", "PagoRevertido")
def al_pasar_algo_al_pago(mensaje: eventos_pago.EventosPago, sagas: Sagas) -> None:
    """Que se cobró no se oye aquí sino de vuelos: para aprobar una reserva, antes le ha de constar pagada."""
    if (rechazado := mensaje.pago_rechazado) is not None:
        _contar(sagas, mensaje, eventos.PagoRechazado(id_reserva=UUID(rechazado.id_reserva), motivo=rechazado.motivo))
    elif mensaje.pago_revertido is not None:
        _contar(sagas, mensaje, eventos.PagoRevertido(id_reserva=UUID(mensaje.pago_revertido.id_reserva)))


@message_handler(eventos_gds.TOPICO, suscripcion="aeroalpes-sagas-gds", **_POLITICA)
def al_responder_las_aerolineas(mensaje: eventos_gds.EventosGds, sagas: Sagas) -> None:
    if mensaje.reserva_confirmada is not None:
        _contar(sagas, mensaje, eventos.ReservaConfirmada(id_reserva=UUID(mensaje.reserva_confirmada.id_reserva)))
    elif (rechazada := mensaje.confirmacion_rechazada) is not None:
        _contar(
            sagas,
            mensaje,
            eventos.ConfirmacionRechazada(id_reserva=UUID(rechazada.id_reserva), motivo=rechazada.motivo),
        )
    elif (revertida := mensaje.confirmacion_revertida) is not None:
        _contar(sagas, mensaje, eventos.ConfirmacionRevertida(id_reserva=UUID(revertida.id_reserva)))


@message_handler(eventos_hotel.TOPICO, suscripcion="aeroalpes-sagas-hotel", **_POLITICA)
def al_responder_el_hotel(mensaje: eventos_hotel.EventosHotel, sagas: Sagas) -> None:
    if mensaje.hotel_reservado is not None:
        _contar(sagas, mensaje, eventos.HotelReservado(id_reserva=UUID(mensaje.hotel_reservado.id_reserva)))
    elif (rechazado := mensaje.hotel_rechazado) is not None:
        _contar(sagas, mensaje, eventos.HotelRechazado(id_reserva=UUID(rechazado.id_reserva), motivo=rechazado.motivo))
    elif mensaje.hotel_liberado is not None:
        _contar(sagas, mensaje, eventos.HotelLiberado(id_reserva=UUID(mensaje.hotel_liberado.id_reserva)))


@message_handler(eventos_vehiculo.TOPICO, suscripcion="aeroalpes-sagas-vehiculo", **_POLITICA)
def al_responder_vehiculos(mensaje: eventos_vehiculo.EventosVehiculo, sagas: Sagas) -> None:
    if mensaje.vehiculo_reservado is not None:
        _contar(sagas, mensaje, eventos.VehiculoReservado(id_reserva=UUID(mensaje.vehiculo_reservado.id_reserva)))
    elif (rechazado := mensaje.vehiculo_rechazado) is not None:
        _contar(
            sagas, mensaje, eventos.VehiculoRechazado(id_reserva=UUID(rechazado.id_reserva), motivo=rechazado.motivo)
        )
    elif mensaje.vehiculo_liberado is not None:
        _contar(sagas, mensaje, eventos.VehiculoLiberado(id_reserva=UUID(mensaje.vehiculo_liberado.id_reserva)))


def _contar(sagas: Sagas, mensaje: EventoIntegracion, evento: eventos.EventoReserva | None) -> None:
    if evento is not None:
        sagas.recibir(evento, id_mensaje=mensaje.id)


def _creada(creada: eventos_reserva.ReservaCreada) -> eventos.ReservaCreada | None:
    """None si se publicó cuando las reservas aún no decían lo que cuestan: nadie las cobra."""
    if creada.monto is None or creada.tramos is None:
        return None
    return eventos.ReservaCreada(
        id_reserva=UUID(creada.id_reserva),
        id_cliente=UUID(creada.id_cliente) if creada.id_cliente else None,
        monto=creada.monto,
        medio=creada.medio_pago,
        tramos=tuple(
            eventos.Tramo(
                origen=tramo.origen,
                destino=tramo.destino,
                fecha_salida=tramo.fecha_salida,
                fecha_llegada=tramo.fecha_llegada,
            )
            for tramo in creada.tramos
        ),
        hotel=_hotel(creada.hotel) if creada.hotel else None,
        vehiculo=_vehiculo(creada.vehiculo) if creada.vehiculo else None,
    )


def _hotel(hotel: eventos_reserva.Hotel) -> eventos.Hotel:
    return eventos.Hotel(hotel=hotel.hotel, fecha=date.fromisoformat(hotel.fecha))


def _vehiculo(vehiculo: eventos_reserva.Vehiculo) -> eventos.Vehiculo:
    return eventos.Vehiculo(dias=vehiculo.dias, edad_conductor=vehiculo.edad_conductor)
