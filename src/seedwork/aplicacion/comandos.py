"""Comandos: la intención de cambiar algo. Uno, un handler, una transacción."""

from __future__ import annotations

from typing import Generic, TypeVar

R = TypeVar("R", covariant=True)


class Comando(Generic[R]):
    """Base de los comandos; `Comando[UUID]` dice qué devuelve su handler. Quien hereda es una dataclass congelada."""
