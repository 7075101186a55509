"""Anotar que la reserva está pagada."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.vuelos.dominio.objetos_valor import EstadoReserva
from aeroalpes.modulos.vuelos.dominio.repositorios import RepositorioReservas
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj


@dataclass(frozen=True, kw_only=True)
class RegistrarPago(Comando[None]):
    """No hace nada si ya constaba, ni si la reserva se canceló antes: ese cobro lo devuelve pagos."""

    id_reserva: UUID


def registrar_pago(comando: RegistrarPago, reservas: RepositorioReservas, reloj: Reloj) -> None:
    reserva = reservas.obtener(comando.id_reserva)
    if reserva.estado is EstadoReserva.PENDIENTE:
        reserva.pagar(reloj.ahora())
        reservas.guardar(reserva)
