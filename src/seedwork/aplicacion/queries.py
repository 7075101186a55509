"""Queries: preguntas que no cambian nada y no tocan agregados."""

from __future__ import annotations

from typing import Generic, TypeVar

R = TypeVar("R", covariant=True)


class Query(Generic[R]):
    """Base de las queries; `Query[ReservaDTO]` dice qué responde su handler. Quien hereda es dataclass congelada."""
