"""Hoteles en la coreografía: toma la noche que se reserva y suelta la que se cancela."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from aeroalpes.modulos.hoteles.aplicacion.comandos.liberar_hotel import LiberarHotel
from aeroalpes.modulos.hoteles.aplicacion.comandos.reservar_hotel import ReservarHotel
from aeroalpes.modulos.hoteles.aplicacion.puertos import Noche
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos
from seedwork.aplicacion.comandos import Comando
from seedwork.infraestructura.declaracion import message_handler


@message_handler(eventos.TOPICO, suscripcion="aeroalpes-hoteles-reserva", permanentes=(ValueError,))
def al_pasar_algo_a_la_reserva(mensaje: eventos.EventosReserva) -> Comando[None] | None:
    """La cancelación no dice si había hotel: soltar lo que no se tomó no hace nada."""
    if (creada := mensaje.reserva_creada) is not None and creada.hotel is not None:
        noche = Noche(creada.hotel.hotel, date.fromisoformat(creada.hotel.fecha))
        return ReservarHotel(id_reserva=UUID(creada.id_reserva), noche=noche)
    if (cancelada := mensaje.reserva_cancelada) is not None:
        return LiberarHotel(id_reserva=UUID(cancelada.id_reserva))
    return None
