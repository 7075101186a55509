"""Lo que vehiculos recibe del broker: cada mensaje se traduce a una orden, y nada más."""

from __future__ import annotations

from uuid import UUID

from aeroalpes.modulos.vehiculos.aplicacion.comandos.ordenar_alquiler import OrdenarAlquiler
from aeroalpes.modulos.vehiculos.dominio.alquiler import Apartar, Soltar
from aeroalpes.modulos.vehiculos.infraestructura.schema.v1 import comandos
from seedwork.aplicacion.comandos import Comando
from seedwork.infraestructura.declaracion import message_handler
from seedwork.infraestructura.politica import ErrorPermanente


@message_handler(comandos.TOPICO, suscripcion="aeroalpes-vehiculos-comandos", permanentes=(ValueError,))
def al_recibir_comando(mensaje: comandos.ComandosVehiculo) -> Comando[None]:
    match mensaje:
        case comandos.ComandosVehiculo(reservar_vehiculo=comandos.ReservarVehiculo() as pedido, liberar_vehiculo=None):
            orden = Apartar(pedido.dias, pedido.edad_conductor)
            return OrdenarAlquiler(id_reserva=UUID(pedido.id_reserva), orden=orden)
        case comandos.ComandosVehiculo(reservar_vehiculo=None, liberar_vehiculo=comandos.LiberarVehiculo() as pedido):
            return OrdenarAlquiler(id_reserva=UUID(pedido.id_reserva), orden=Soltar())
    raise ErrorPermanente(f"El comando {mensaje.type!r} debe traer una variante, y sólo una")
