"""Lo que rodea a cada comando o query sin ser parte de él: registro, trazas, medidas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

Comportamiento = Callable[[Any], AbstractContextManager[Any]]
"""De un mensaje, el context manager que rodea su ejecución entera, con su transacción y sus reintentos dentro.

Vale igual para handlers `def` y `async def`.
"""


class Alrededor:
    """Entra en los comportamientos en orden y sale de ellos en el contrario, como un `with` dentro de otro."""

    def __init__(self, comportamientos: Sequence[Comportamiento]) -> None:
        self._comportamientos = tuple(comportamientos)

    def __bool__(self) -> bool:
        return bool(self._comportamientos)

    def __call__(self, mensaje: Any) -> ExitStack:
        with ExitStack() as pila:
            for comportamiento in self._comportamientos:
                pila.enter_context(comportamiento(mensaje))
            return pila.pop_all()
