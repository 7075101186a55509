"""Objetos valor: iguales si sus atributos lo son, inmutables, y válidos desde que nacen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ObjetoValor:
    """Base de los objetos valor; quien hereda es `@dataclass(frozen=True)` y se valida en `__post_init__`."""
