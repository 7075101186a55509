"""Lo que el dominio pide a quien guarda confirmaciones."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from aeroalpes.modulos.gds.dominio.entidades import Confirmacion


class RepositorioConfirmaciones(Protocol):
    """Las confirmaciones, por el id de su reserva."""

    def obtener(self, id: UUID) -> Confirmacion:
        """La guardada, o una nueva si de esa reserva no se sabe nada."""
        ...

    def guardar(self, agregado: Confirmacion) -> None:
        """`ConflictoConcurrencia` si otro la cambió desde que se leyó."""
        ...
