"""Cancelar la reserva que no se completó a tiempo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from aeroalpes.modulos.vuelos.dominio.excepciones import ReservaSinVencer
from aeroalpes.modulos.vuelos.dominio.objetos_valor import EstadoReserva
from aeroalpes.modulos.vuelos.dominio.repositorios import RepositorioReservas
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj


@dataclass(frozen=True, kw_only=True)
class VencerReserva(Comando[None]):
    """No hace nada si ya se aprobó o se canceló; lanza `ReservaSinVencer` si aún tiene tiempo."""

    id_reserva: UUID
    plazo_s: float


def vencer_reserva(comando: VencerReserva, reservas: RepositorioReservas, reloj: Reloj) -> None:
    reserva = reservas.obtener(comando.id_reserva)
    if reserva.estado in (EstadoReserva.APROBADA, EstadoReserva.CANCELADA):
        return
    if reloj.ahora() < reserva.fecha_creacion + timedelta(seconds=comando.plazo_s):
        raise ReservaSinVencer(f"La reserva {reserva.id} tiene {comando.plazo_s:g} s para completarse")
    reserva.cancelar(f"La reserva no se completó en {comando.plazo_s:g} s", reloj.ahora())
    reservas.guardar(reserva)
