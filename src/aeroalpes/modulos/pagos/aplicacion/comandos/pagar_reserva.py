"""Pedir que se cobre una reserva."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.pagos.dominio.repositorios import RepositorioPagos
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj


@dataclass(frozen=True, kw_only=True)
class PagarReserva(Comando[None]):
    """Deja pedido el cobro de `monto` centavos; la pasarela se llama después, fuera de la transacción."""

    id_reserva: UUID
    monto: int
    medio: str | None = None
    id_cliente: UUID | None = None


def pagar_reserva(comando: PagarReserva, pagos: RepositorioPagos, reloj: Reloj) -> None:
    pago = pagos.obtener(comando.id_reserva)
    pago.solicitar_cobro(comando.monto, comando.medio, comando.id_cliente, reloj.ahora())
    pagos.guardar(pago)
