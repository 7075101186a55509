"""La forma en que un pago sale de los casos de uso: datos, sin reglas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class MovimientoDTO:
    """Un evento del pago; `monto`, en centavos, si movió o pidió mover dinero."""

    tipo: str
    fecha: datetime
    monto: int | None


@dataclass(frozen=True, kw_only=True)
class PagoDTO:
    """Montos en centavos; `saldo` es lo que queda cobrado."""

    id_reserva: UUID
    estado: str
    monto: int
    saldo: int
    motivo: str | None
    movimientos: tuple[MovimientoDTO, ...]
