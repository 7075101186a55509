"""Vehiculos en la coreografía: aparta el coche que se reserva y suelta el que se cancela."""

from __future__ import annotations

from uuid import UUID

from aeroalpes.modulos.vehiculos.aplicacion.comandos.ordenar_alquiler import OrdenarAlquiler
from aeroalpes.modulos.vehiculos.dominio.alquiler import Apartar, Soltar
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos
from seedwork.aplicacion.comandos import Comando
from seedwork.infraestructura.declaracion import message_handler


@message_handler(eventos.TOPICO, suscripcion="aeroalpes-vehiculos-reserva", permanentes=(ValueError,))
def al_pasar_algo_a_la_reserva(mensaje: eventos.EventosReserva) -> Comando[None] | None:
    """La cancelación no dice si había coche: soltar el que no se apartó no hace nada."""
    if (creada := mensaje.reserva_creada) is not None and (coche := creada.vehiculo) is not None:
        return OrdenarAlquiler(id_reserva=UUID(creada.id_reserva), orden=Apartar(coche.dias, coche.edad_conductor))
    if (cancelada := mensaje.reserva_cancelada) is not None:
        return OrdenarAlquiler(id_reserva=UUID(cancelada.id_reserva), orden=Soltar())
    return None
