"""Lo que el dominio pide a quien guarda pagos."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from aeroalpes.modulos.pagos.dominio.entidades import Pago


class RepositorioPagos(Protocol):
    """Los pagos, por el id de su reserva."""

    def obtener(self, id: UUID) -> Pago:
        """El pago tal como lo dejan sus eventos; recién hecho si no tiene ninguno."""
        ...

    def guardar(self, agregado: Pago) -> None:
        """Añade sus eventos nuevos; `ConflictoConcurrencia` si otro añadió alguno desde que se leyó."""
        ...
