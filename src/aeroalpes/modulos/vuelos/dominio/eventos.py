"""Lo que le pasa a una reserva."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aeroalpes.modulos.vuelos.dominio.objetos_valor import Hotel, Leg, Vehiculo
from seedwork.dominio.eventos import EventoDominio


@dataclass(frozen=True, kw_only=True)
class ReservaCreada(EventoDominio):
    id_reserva: UUID
    id_cliente: UUID | None
    estado: str
    fecha_creacion: datetime
    legs: tuple[Leg, ...]
    monto: int
    medio_pago: str | None
    hotel: Hotel | None
    vehiculo: Vehiculo | None


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


@dataclass(frozen=True, kw_only=True)
class AprobacionFallida(EventoDominio):
    id_reserva: UUID
    id_cliente: UUID | None
    estado: str
    motivo: str
