"""Lo que hoteles recibe del broker: cada mensaje se traduce a un comando del módulo, y nada más."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from aeroalpes.modulos.hoteles.aplicacion.comandos.liberar_hotel import LiberarHotel
from aeroalpes.modulos.hoteles.aplicacion.comandos.reservar_hotel import ReservarHotel
from aeroalpes.modulos.hoteles.aplicacion.puertos import Noche
from aeroalpes.modulos.hoteles.infraestructura.schema.v1 import comandos
from seedwork.aplicacion.comandos import Comando
from seedwork.infraestructura.declaracion import message_handler
from seedwork.infraestructura.politica import ErrorPermanente


@message_handler(comandos.TOPICO, suscripcion="aeroalpes-hoteles-comandos", permanentes=(ValueError,))
def al_recibir_comando(mensaje: comandos.ComandosHotel) -> Comando[None]:
    match mensaje:
        case comandos.ComandosHotel(reservar_hotel=comandos.ReservarHotel() as pedido, liberar_hotel=None):
            noche = Noche(pedido.hotel, date.fromisoformat(pedido.fecha))
            return ReservarHotel(id_reserva=UUID(pedido.id_reserva), noche=noche)
        case comandos.ComandosHotel(reservar_hotel=None, liberar_hotel=comandos.LiberarHotel() as pedido):
            return LiberarHotel(id_reserva=UUID(pedido.id_reserva))
    raise ErrorPermanente(f"El comando {mensaje.type!r} debe traer una variante, y sólo una")
