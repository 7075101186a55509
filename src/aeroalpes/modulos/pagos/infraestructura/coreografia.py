"""Pagos en la coreografía: cobra lo que se reserva y devuelve lo que se cancela."""

from __future__ import annotations

from uuid import UUID

from aeroalpes.modulos.pagos.aplicacion.comandos.pagar_reserva import PagarReserva
from aeroalpes.modulos.pagos.aplicacion.comandos.revertir_pago import RevertirPago
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos
from seedwork.aplicacion.comandos import Comando
from seedwork.infraestructura.declaracion import message_handler


@message_handler(eventos.TOPICO, suscripcion="aeroalpes-pagos-reserva", permanentes=(ValueError,))
def al_pasar_algo_a_la_reserva(mensaje: eventos.EventosReserva) -> Comando[None] | None:
    if (creada := mensaje.reserva_creada) is not None and creada.monto is not None:
        return PagarReserva(
            id_reserva=UUID(creada.id_reserva),
            monto=creada.monto,
            medio=creada.medio_pago,
            id_cliente=UUID(creada.id_cliente) if creada.id_cliente else None,
        )
    if (cancelada := mensaje.reserva_cancelada) is not None:
        return RevertirPago(id_reserva=UUID(cancelada.id_reserva), motivo=cancelada.motivo)
    return None
