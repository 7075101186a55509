"""Eventos de dominio: lo que ya pasó, inmutable y en pasado."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID


def nuevo_id() -> UUID:
    """Un UUID versión 7 (RFC 9562): único, y ordenado por el instante en que se creó."""
    bits = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    bits = bits & ~(0xF << 76) | 0x7 << 76  # versión
    return UUID(int=bits & ~(0x3 << 62) | 0x2 << 62)  # variante


def ahora() -> datetime:
    """El instante actual en UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class EventoDominio:
    """Un hecho del dominio; su `id` es también el del mensaje que lo publique."""

    id: UUID = field(default_factory=nuevo_id)
    fecha: datetime = field(default_factory=ahora)
