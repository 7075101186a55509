"""Acusar con los menos frames posibles: uno por todo lo terminado sin huecos, y uno por cada suelto."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class Acuses:
    """Las etiquetas de entrega de un canal: consecutivas, y acusadas como mucho una vez."""

    def __init__(self) -> None:
        self._pendientes: deque[int] = deque()
        self._terminadas: set[int] = set()
        self._sueltas: set[int] = set()

    @property
    def primera(self) -> int | None:
        """La más vieja sin terminar."""
        return self._pendientes[0] if self._pendientes else None

    def llega(self, etiqueta: int) -> None:
        self._pendientes.append(etiqueta)

    def terminar(self, etiquetas: Iterable[int]) -> list[tuple[int, bool]]:
        """Los acuses que hay que mandar, en orden: la etiqueta, y si vale por todas las anteriores."""
        nuevas = set(etiquetas)
        self._terminadas |= nuevas
        hasta = None
        while self._pendientes and self._pendientes[0] in self._terminadas:
            etiqueta = self._pendientes.popleft()
            self._terminadas.discard(etiqueta)
            if etiqueta in self._sueltas:
                self._sueltas.discard(etiqueta)
            else:
                hasta = etiqueta
        sueltas = sorted(nuevas & self._terminadas)
        self._sueltas.update(sueltas)
        return [*([(hasta, True)] if hasta is not None else []), *((etiqueta, False) for etiqueta in sueltas)]
