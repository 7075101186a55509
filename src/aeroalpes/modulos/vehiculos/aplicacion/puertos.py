"""Lo que los casos de uso piden a quien guarda alquileres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from aeroalpes.modulos.vehiculos.dominio.alquiler import Fase, Hecho


class Alquileres(Protocol):
    """El alquiler de cada reserva."""

    def fase(self, id_reserva: UUID) -> Fase:
        """`NINGUNO` si de esa reserva no se sabe nada."""
        ...

    def pasar(self, id_reserva: UUID, de: Fase, a: Fase, hechos: Sequence[Hecho]) -> None:
        """Guarda la fase y anuncia los hechos; `ConflictoConcurrencia` si ya no estaba en la de partida."""
        ...
