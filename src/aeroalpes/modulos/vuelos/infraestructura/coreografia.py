"""Vuelos en la coreografía: se entera por los demás de que la reserva está completa, o de que hay que cancelarla.

De cada contexto sólo le importan tres cosas: que ya tiene lo suyo, que no lo tendrá, o que alguien se lo quitó.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aeroalpes.modulos.gds.infraestructura.schema.v1 import eventos as eventos_gds
from aeroalpes.modulos.hoteles.infraestructura.schema.v1 import eventos as eventos_hotel
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import eventos as eventos_pago
from aeroalpes.modulos.vehiculos.infraestructura.schema.v1 import eventos as eventos_vehiculo
from aeroalpes.modulos.vuelos.aplicacion.comandos.cancelar_reserva import CancelarReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.confirmar_producto import ConfirmarProducto
from aeroalpes.modulos.vuelos.aplicacion.comandos.vencer_reserva import VencerReserva
from aeroalpes.modulos.vuelos.dominio.excepciones import ReservaSinVencer
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos
from seedwork.aplicacion.comandos import Comando
from seedwork.infraestructura.declaracion import message_handler
from seedwork.infraestructura.politica import Reintentos

PLAZO_S = 30.0
_POLITICA: dict[str, Any] = {
    "reintentos": Reintentos(maximo=8, espera_s=0.5, factor=2),
    "permanentes": (ValueError,),  # un id que no lo es no mejora con el tiempo
}


@message_handler(eventos_pago.TOPICO, suscripcion="aeroalpes-vuelos-pago", **_POLITICA)
def al_pasar_algo_al_pago(mensaje: eventos_pago.EventosPago) -> Comando[None] | None:
    """Que se cobró lo anota quien ya lo anotaba."""
    if (rechazado := mensaje.pago_rechazado) is not None:
        return _cancelar(rechazado.id_reserva, rechazado.motivo)
    if (revertido := mensaje.pago_revertido) is not None:
        return _cancelar(revertido.id_reserva, "El pago se devolvió")
    return None


@message_handler(eventos_gds.TOPICO, suscripcion="aeroalpes-vuelos-gds", **_POLITICA)
def al_responder_las_aerolineas(mensaje: eventos_gds.EventosGds) -> Comando[None] | None:
    if (confirmada := mensaje.reserva_confirmada) is not None:
        return ConfirmarProducto(id_reserva=UUID(confirmada.id_reserva), producto="VUELOS")
    if (rechazada := mensaje.confirmacion_rechazada) is not None:
        return _cancelar(rechazada.id_reserva, rechazada.motivo)
    if (revertida := mensaje.confirmacion_revertida) is not None:
        return _cancelar(revertida.id_reserva, "Las plazas se soltaron")
    return None


@message_handler(eventos_hotel.TOPICO, suscripcion="aeroalpes-vuelos-hotel", **_POLITICA)
def al_responder_el_hotel(mensaje: eventos_hotel.EventosHotel) -> Comando[None] | None:
    if (reservado := mensaje.hotel_reservado) is not None:
        return ConfirmarProducto(id_reserva=UUID(reservado.id_reserva), producto="HOTEL")
    if (rechazado := mensaje.hotel_rechazado) is not None:
        return _cancelar(rechazado.id_reserva, rechazado.motivo)
    if (liberado := mensaje.hotel_liberado) is not None:
        return _cancelar(liberado.id_reserva, "El hotel se liberó")
    return None


@message_handler(eventos_vehiculo.TOPICO, suscripcion="aeroalpes-vuelos-vehiculo", **_POLITICA)
def al_responder_vehiculos(mensaje: eventos_vehiculo.EventosVehiculo) -> Comando[None] | None:
    if (reservado := mensaje.vehiculo_reservado) is not None:
        return ConfirmarProducto(id_reserva=UUID(reservado.id_reserva), producto="VEHICULO")
    if (rechazado := mensaje.vehiculo_rechazado) is not None:
        return _cancelar(rechazado.id_reserva, rechazado.motivo)
    if (liberado := mensaje.vehiculo_liberado) is not None:
        return _cancelar(liberado.id_reserva, "El coche se soltó")
    return None


# El plazo es el propio mensaje, que vuelve pasado ese tiempo: sobrevive a cualquier parada y no necesita otro reloj.
@message_handler(
    eventos.TOPICO,
    suscripcion="aeroalpes-vuelos-plazos",
    reintentos=Reintentos(maximo=None, espera_s=PLAZO_S),
    permanentes=(ValueError,),
    esperados=(ReservaSinVencer,),
    orden="relajado",
)
def al_empezar_a_contar(mensaje: eventos.EventosReserva) -> Comando[None] | None:
    creada = mensaje.reserva_creada
    return VencerReserva(id_reserva=UUID(creada.id_reserva), plazo_s=PLAZO_S) if creada is not None else None


def _cancelar(id_reserva: str, motivo: str) -> CancelarReserva:
    return CancelarReserva(id_reserva=UUID(id_reserva), motivo=motivo)


REACCIONES = [
    al_pasar_algo_al_pago,
    al_responder_las_aerolineas,
    al_responder_el_hotel,
    al_responder_vehiculos,
    al_empezar_a_contar,
]
