"""De qué habla una confirmación."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from seedwork.dominio.objetos_valor import ObjetoValor


class EstadoConfirmacion(StrEnum):
    """Por dónde va una confirmación."""

    NUEVA = "NUEVA"
    CONFIRMADA = "CONFIRMADA"
    RECHAZADA = "RECHAZADA"
    REVERTIDA = "REVERTIDA"


@dataclass(frozen=True)
class Tramo(ObjetoValor):
    """Un vuelo: aeropuertos por su código y fechas con zona."""

    origen: str
    destino: str
    salida: datetime
    llegada: datetime
