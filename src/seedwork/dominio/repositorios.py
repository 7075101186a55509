"""El puerto de un repositorio: una colección de agregados, sin saber dónde viven."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from seedwork.dominio.entidades import AgregacionRaiz

if TYPE_CHECKING:
    from uuid import UUID

A = TypeVar("A", bound=AgregacionRaiz)


class Repositorio(Protocol[A]):
    """Lo mínimo que un dominio pide a quien guarda sus agregados."""

    def obtener(self, id: UUID) -> A:
        """El agregado con ese id, el mismo objeto dentro de una unidad de trabajo; `NoEncontrado` si no hay."""
        ...

    def guardar(self, agregado: A) -> None:
        """Deja el agregado como está ahora; `YaExiste` o `ConflictoConcurrencia` si otro se adelantó."""
        ...
