"""El sobre v1: lo que todo mensaje de integración dice de sí mismo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seedwork.dominio.eventos import ahora, nuevo_id


def ahora_ms() -> int:
    """El instante actual, en milisegundos desde 1970."""
    return int(ahora().timestamp() * 1000)


@dataclass(frozen=True, kw_only=True)
class MensajeIntegracion:
    """Base de los registros que se publican: quien hereda añade sus variantes como campos opcionales.

    `time` es cuándo pasó e `ingestion` cuándo entró al outbox, en milisegundos desde 1970; `type` nombra la variante.
    """

    id: str
    time: int
    ingestion: int
    specversion: str = "1.0"
    type: str
    datacontenttype: str = "application/avro"
    service_name: str


@dataclass(frozen=True, kw_only=True)
class EventoIntegracion(MensajeIntegracion):
    """Algo que ya pasó en un servicio y que otros quieren saber."""


@dataclass(frozen=True, kw_only=True)
class ComandoIntegracion(MensajeIntegracion):
    """Algo que se le pide a un servicio."""


def sobre(tipo: str, servicio: str, *, id: str | None = None, time: int | None = None) -> dict[str, Any]:
    """Los campos del sobre, listos para construir un registro: `EventosReserva(**sobre(...), reserva_creada=...)`."""
    instante = ahora_ms()
    return {
        "id": id or str(nuevo_id()),
        "time": instante if time is None else time,
        "ingestion": instante,
        "type": tipo,
        "service_name": servicio,
    }
