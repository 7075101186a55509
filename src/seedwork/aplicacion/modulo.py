"""La tabla de cableado de un contexto acotado: su índice, sin efectos al importarla."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Handler = Callable[..., Any]
"""Una función `(mensaje, puertos por tipo...)`, o una clase con puertos en el constructor y `handle(mensaje)`."""


@dataclass(frozen=True, kw_only=True)
class Modulo:
    """Quién atiende qué y quién provee qué en un contexto.

    `puertos` lleva de un tipo a quien lo provee: una clase o función (se construye por tipo, para cada mensaje si
    depende de la unidad de trabajo y una sola vez si no) o un objeto ya hecho. `paquete` es el paquete del contexto
    (`__package__`): con él, un comando o una query suyos que falten en las tablas detienen el arranque.
    """

    nombre: str
    comandos: Mapping[type, Handler] = field(default_factory=dict)
    queries: Mapping[type, Handler] = field(default_factory=dict)
    eventos: Mapping[type, Sequence[Handler]] = field(default_factory=dict)
    puertos: Mapping[Any, Any] = field(default_factory=dict)
    consumidores: Sequence[Any] = ()
    migraciones: Sequence[Any] = ()
    paquete: str | None = None
