"""Anotar que la reserva tiene uno de sus productos."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.vuelos.dominio.objetos_valor import EstadoReserva, Producto
from aeroalpes.modulos.vuelos.dominio.repositorios import RepositorioReservas
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj


@dataclass(frozen=True, kw_only=True)
class ConfirmarProducto(Comando[None]):
    """Con el pago y el último producto, la reserva queda aprobada.

    Si ya se canceló no hace nada: quien dio el producto lo suelta al saberlo.
    """

    id_reserva: UUID
    producto: str


def confirmar_producto(comando: ConfirmarProducto, reservas: RepositorioReservas, reloj: Reloj) -> None:
    reserva, producto = reservas.obtener(comando.id_reserva), Producto(comando.producto)
    if reserva.estado is not EstadoReserva.CANCELADA and producto not in reserva.confirmados:
        reserva.confirmar(producto, reloj.ahora())
        reservas.guardar(reserva)
