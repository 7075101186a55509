"""Dar por buena una reserva pagada."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.vuelos.dominio.repositorios import RepositorioReservas
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj


@dataclass(frozen=True, kw_only=True)
class AprobarReserva(Comando[None]):
    id_reserva: UUID


def aprobar_reserva(comando: AprobarReserva, reservas: RepositorioReservas, reloj: Reloj) -> None:
    reserva = reservas.obtener(comando.id_reserva)
    reserva.aprobar(reloj.ahora())
    reservas.guardar(reserva)
