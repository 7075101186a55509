"""Dar por buena una reserva pagada y confirmada."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.vuelos.dominio.excepciones import PagoSinRegistrar
from aeroalpes.modulos.vuelos.dominio.objetos_valor import EstadoReserva
from aeroalpes.modulos.vuelos.dominio.repositorios import RepositorioReservas
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj


@dataclass(frozen=True, kw_only=True)
class AprobarReserva(Comando[None]):
    """Siempre se responde: `ReservaAprobada`, o `AprobacionFallida` si ya se canceló.

    El pago se conoce por otro camino y puede constar después que esta petición: entonces lanza `PagoSinRegistrar`.
    """

    id_reserva: UUID


def aprobar_reserva(comando: AprobarReserva, reservas: RepositorioReservas, reloj: Reloj) -> None:
    reserva = reservas.obtener(comando.id_reserva)
    if reserva.estado is EstadoReserva.APROBADA:
        return
    if reserva.estado is EstadoReserva.PENDIENTE:
        raise PagoSinRegistrar(f"Todavía no consta el pago de la reserva {reserva.id}")
    if reserva.estado is EstadoReserva.CANCELADA:
        reserva.negar_aprobacion("La reserva ya está cancelada", reloj.ahora())
    else:
        reserva.aprobar(reloj.ahora())
    reservas.guardar(reserva)
