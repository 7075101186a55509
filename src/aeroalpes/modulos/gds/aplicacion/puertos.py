"""Lo que gds pide al sistema de las aerolíneas, dicho con nuestras palabras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from aeroalpes.modulos.gds.dominio.objetos_valor import Tramo


@dataclass(frozen=True)
class Confirmada:
    """Hay plazas en todos los tramos."""

    localizador: str


@dataclass(frozen=True)
class SinPlazas:
    """No las hay en alguno, y por eso no se tomó ninguna."""

    motivo: str


class GdsSinRespuesta(Exception):
    """El GDS no respondió, o no se le llamó porque lleva rato sin responder: no se sabe si tomó las plazas."""


class SistemaReservas(Protocol):
    """El GDS; cada llamada responde o se rinde en un plazo acotado, y repetirla es la misma llamada."""

    async def tomar_plazas(self, id_reserva: UUID, tramos: tuple[Tramo, ...]) -> Confirmada | SinPlazas:
        """Toma plazas en todos los tramos o en ninguno; lanza `GdsSinRespuesta`."""
        ...

    async def soltar_plazas(self, id_reserva: UUID) -> None:
        """Suelta las de esa reserva; no hace nada si no tiene. Lanza `GdsSinRespuesta`."""
        ...
