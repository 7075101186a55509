"""Lo que los casos de uso devuelven."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, kw_only=True)
class DiaDTO:
    """Un día, en UTC, y cuántas reservas se hicieron."""

    dia: date
    reservas: int
