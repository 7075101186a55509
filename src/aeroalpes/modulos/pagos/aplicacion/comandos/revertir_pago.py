"""Dejar una reserva sin cobrar."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.pagos.dominio.repositorios import RepositorioPagos
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj


@dataclass(frozen=True, kw_only=True)
class RevertirPago(Comando[None]):
    """Si aún no se pidió cobrarla, queda anotado para negarse cuando se pida."""

    id_reserva: UUID
    motivo: str | None = None


def revertir_pago(comando: RevertirPago, pagos: RepositorioPagos, reloj: Reloj) -> None:
    pago = pagos.obtener(comando.id_reserva)
    pago.revertir(comando.motivo, reloj.ahora())
    pagos.guardar(pago)
