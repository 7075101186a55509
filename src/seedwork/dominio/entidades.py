"""Entidades y raíces de agregado."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uuid import UUID

    from seedwork.dominio.eventos import EventoDominio


@dataclass(eq=False, kw_only=True)
class Entidad:
    """Algo con identidad: dos entidades son la misma si son de la misma clase y tienen el mismo `id`.

    Quien hereda es `@dataclass(eq=False, kw_only=True)`: sin `eq=False`, dataclass compararía atributo por atributo.
    """

    id: UUID

    def __eq__(self, otra: object) -> bool:
        return type(otra) is type(self) and otra.id == self.id

    def __hash__(self) -> int:
        return hash((type(self), self.id))


@dataclass(eq=False, kw_only=True)
class AgregacionRaiz(Entidad):
    """La raíz de un agregado: la única puerta a lo que hay dentro y el dueño de sus eventos.

    `version` es la última guardada (0 = nunca) y sostiene el bloqueo optimista; la cambia el repositorio.
    """

    version: int = 0
    _eventos: list[EventoDominio] = field(default_factory=list, init=False, repr=False)

    def registrar(self, evento: EventoDominio) -> None:
        """Anota un evento; saldrá cuando la unidad de trabajo confirme, y sólo si confirma."""
        self._eventos.append(evento)

    @property
    def tiene_eventos(self) -> bool:
        """Si hay eventos registrados que nadie extrajo."""
        return bool(self._eventos)

    def extraer_eventos(self) -> list[Any]:
        """Entrega los eventos registrados desde la última vez y los olvida."""
        eventos, self._eventos = self._eventos, []
        return eventos
