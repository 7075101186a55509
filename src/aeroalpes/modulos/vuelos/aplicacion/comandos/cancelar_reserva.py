"""Cancelar una reserva, diciendo por qué."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.vuelos.dominio.objetos_valor import EstadoReserva
from aeroalpes.modulos.vuelos.dominio.repositorios import RepositorioReservas
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj


@dataclass(frozen=True, kw_only=True)
class CancelarReserva(Comando[None]):
    """No hace nada si ya estaba cancelada: vale el primer motivo."""

    id_reserva: UUID
    motivo: str


def cancelar_reserva(comando: CancelarReserva, reservas: RepositorioReservas, reloj: Reloj) -> None:
    reserva = reservas.obtener(comando.id_reserva)
    if reserva.estado is not EstadoReserva.CANCELADA:
        reserva.cancelar(comando.motivo, reloj.ahora())
        reservas.guardar(reserva)
