"""Gds en la coreografía: toma plazas para lo que se reserva y suelta las de lo que se cancela."""

from __future__ import annotations

from uuid import UUID

from aeroalpes.modulos.gds.aplicacion.puertos import SistemaReservas
from aeroalpes.modulos.gds.infraestructura.consumidores import INSISTENCIA, soltar, tomar
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos
from seedwork.aplicacion.comandos import Comando
from seedwork.infraestructura.declaracion import message_handler


@message_handler(
    eventos.TOPICO,
    suscripcion="aeroalpes-gds-reserva",
    reintentos=INSISTENCIA,
    permanentes=(ValueError, OverflowError),
    concurrencia=32,
)
async def al_pasar_algo_a_la_reserva(mensaje: eventos.EventosReserva, gds: SistemaReservas) -> Comando[None] | None:
    if (creada := mensaje.reserva_creada) is not None and creada.tramos is not None:
        return await tomar(gds, UUID(creada.id_reserva), creada.tramos)
    if (cancelada := mensaje.reserva_cancelada) is not None:
        return await soltar(gds, UUID(cancelada.id_reserva))
    return None
