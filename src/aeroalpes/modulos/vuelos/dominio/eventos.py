"""Lo que le pasa a una reserva."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from seedwork.dominio.eventos import EventoDominio


@dataclass(frozen=True, kw_only=True)
class ReservaCreada(EventoDominio):
    id_reserva: UUID
    id_cliente: UUID | None
    estado: str
    fecha_creacion: datetime


@dataclass(frozen=True, kw_only=True)
class ReservaPagada(EventoDominio):
    id_reserva: UUID
    id_cliente: UUID | None


@dataclass(frozen=True, kw_only=True)
class ReservaAprobada(EventoDominio):
    id_reserva: UUID
    id_cliente: UUID | None


@dataclass(frozen=True, kw_only=True)
class ReservaCancelada(EventoDominio):
    id_reserva: UUID
    id_cliente: UUID | None
    motivo: str
