"""Pedir una reserva sin esperarla: se comprueba ahora y se crea cuando el comando llegue por el broker."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva, nueva_reserva
from aeroalpes.modulos.vuelos.aplicacion.puertos import DespachadorComandos
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj


@dataclass(frozen=True, kw_only=True)
class SolicitarReserva(Comando[UUID]):
    """Devuelve el id que tendrá la reserva; al volver, la solicitud ya no se pierde."""

    reserva: CrearReserva


def solicitar_reserva(comando: SolicitarReserva, despachador: DespachadorComandos, reloj: Reloj) -> UUID:
    nueva_reserva(comando.reserva, reloj)
    despachador.pedir(comando.reserva)
    return comando.reserva.id
