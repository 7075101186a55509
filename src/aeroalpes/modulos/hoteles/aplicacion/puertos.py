"""Lo que los casos de uso piden a quien lleva el cupo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True)
class Noche:
    """Una noche en un hotel."""

    hotel: str
    fecha: date


class Cupo(Protocol):
    """Las habitaciones que quedan; cada cambio se anuncia en la misma transacción."""

    def tomar(self, id_reserva: UUID, noche: Noche) -> None:
        """Toma una habitación para la reserva, o anuncia que no la hay; una reserva ya liberada no la toma."""
        ...

    def soltar(self, id_reserva: UUID) -> None:
        """Suelta la que tenga y anuncia que no tiene ninguna; si aún no la tomó, ya no la tomará."""
        ...
