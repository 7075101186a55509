"""Lo que le pasa a un pago. Son también lo único que se guarda de él."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from seedwork.dominio.eventos import EventoDominio


@dataclass(frozen=True, kw_only=True)
class EventoPago(EventoDominio):
    """Base de los eventos de un pago; los montos van en centavos."""

    id_reserva: UUID
    id_cliente: UUID | None


@dataclass(frozen=True, kw_only=True)
class CobroSolicitado(EventoPago):
    """Hay que pedirlo a la pasarela: se anota antes de llamarla."""

    monto: int
    medio: str | None


@dataclass(frozen=True, kw_only=True)
class CobroAceptado(EventoPago):
    monto: int
    autorizacion: str


@dataclass(frozen=True, kw_only=True)
class CobroRechazado(EventoPago):
    motivo: str


@dataclass(frozen=True, kw_only=True)
class CobroEnDuda(EventoPago):
    """La pasarela no respondió: puede haber cobrado o no."""


@dataclass(frozen=True, kw_only=True)
class CobroTardio(EventoPago):
    """Se supo que la pasarela sí había cobrado cuando ya se había pedido revertirlo."""

    monto: int


@dataclass(frozen=True, kw_only=True)
class ReversionSolicitada(EventoPago):
    """Hay que pedir a la pasarela que devuelva lo que tenga cobrado."""

    monto: int
    medio: str | None
    motivo: str | None


@dataclass(frozen=True, kw_only=True)
class PagoRevertido(EventoPago):
    """No queda nada cobrado; `devuelto` es lo que se devolvió ahora."""

    devuelto: int
    motivo: str | None
