"""Anotar que la reserva está pagada."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.vuelos.dominio.repositorios import RepositorioReservas
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj


@dataclass(frozen=True, kw_only=True)
class RegistrarPago(Comando[None]):
    id_reserva: UUID


def registrar_pago(comando: RegistrarPago, reservas: RepositorioReservas, reloj: Reloj) -> None:
    reserva = reservas.obtener(comando.id_reserva)
    reserva.pagar(reloj.ahora())
    reservas.guardar(reserva)
