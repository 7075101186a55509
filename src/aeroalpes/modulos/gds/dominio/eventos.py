"""Lo que le pasa a una confirmación."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from seedwork.dominio.eventos import EventoDominio


@dataclass(frozen=True, kw_only=True)
class EventoGds(EventoDominio):
    id_reserva: UUID


@dataclass(frozen=True, kw_only=True)
class ReservaConfirmada(EventoGds):
    localizador: str


@dataclass(frozen=True, kw_only=True)
class ConfirmacionRechazada(EventoGds):
    motivo: str


@dataclass(frozen=True, kw_only=True)
class PlazasSobrantes(EventoGds):
    """El GDS tiene, o puede tener, plazas que ya nadie quiere: hay que soltarlas."""


@dataclass(frozen=True, kw_only=True)
class ConfirmacionRevertida(EventoGds):
    """El GDS no tiene plazas de esa reserva."""
