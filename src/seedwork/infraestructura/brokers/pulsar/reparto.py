"""Quién atiende cada carril de una suscripción, según lo anotado en su tópico de estado.

Todos leen lo mismo y en el mismo orden, así que todos deciden lo mismo sin preguntarse nada.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

CESION_S = 1.0  # lo que un carril cedido espera a quien se le cedió

Anotado = Mapping[str, Any]  # de cada consumidor, sus carriles y si ya los atiende; None si se fue


class Reparto:
    """Lo que se sabe de los consumidores y los carriles de una suscripción, visto por `yo`."""

    def __init__(self, yo: str) -> None:
        self._yo = yo
        self._de: dict[str, dict[int, bool]] = {}
        self._cedidos: dict[int, tuple[str, float]] = {}  # a quién, y cuándo se supo

    def aplicar(self, de: Anotado, cede: Mapping[str, str]) -> None:
        for quien, suyos in de.items():
            if suyos is None:
                self._de.pop(quien, None)
                continue
            tiene = {int(carril): bool(atiende) for carril, atiende in suyos.items()}
            for carril in tiene:
                self._cedidos.pop(carril, None)
                for otros in self._de.values():
                    otros.pop(carril, None)
            self._de[quien] = tiene
        for cedido, a_quien in cede.items():
            self._cedidos[int(cedido)] = (str(a_quien), time.monotonic())

    def anotable(self) -> dict[str, dict[int, bool]]:
        """Todo lo que se sabe, para un resumen."""
        return self._de

    def consto(self) -> bool:
        """Si los demás saben que estoy."""
        return self._yo in self._de

    def dueno(self, carril: int) -> str | None:
        return next((quien for quien, suyos in self._de.items() if carril in suyos), None)

    def libres(self, carriles: Iterable[int]) -> list[int]:
        """Los que puedo intentar ya: nadie dice tenerlos, ni esperan a otro a quien se le cedieron."""
        return [
            carril for carril in carriles if self.dueno(carril) is None and self._espera_a(carril) in (None, self._yo)
        ]

    def ausentes(self, tomados: Iterable[int]) -> set[str]:
        """Quienes ya no están, si pude tomar esos carriles: decían tenerlos, o no recogieron lo que se les cedió."""
        ausentes = set()
        for carril in tomados:
            cedido = self._cedidos.get(carril)
            ausentes.add(self.dueno(carril) or (cedido[0] if cedido else self._yo))
        return ausentes - {self._yo}

    def cesion(self) -> tuple[str, int] | None:
        """A quién debo ceder carriles, y cuántos: el que más tiene, al que menos, si le lleva dos o más."""
        cuantos = {quien: len(suyos) for quien, suyos in self._de.items()}
        for carril in self._cedidos:
            espera_a = self._espera_a(carril)
            if espera_a in cuantos:
                cuantos[espera_a] += 1
        if self._yo not in cuantos:
            return None
        mayor = max(cuantos, key=lambda quien: (cuantos[quien], quien))
        menor = min(cuantos, key=lambda quien: (cuantos[quien], quien))
        sobran = (len(self._de[self._yo]) - cuantos[menor]) // 2
        return (menor, sobran) if mayor == self._yo and sobran > 0 else None

    def asentado(self, cuantos: int, mios: int) -> bool:
        """Si, con los que yo atiendo, todos los carriles están atendidos, y a nadie le sobra lo que a mí me falta."""
        ajenos = [suyos for quien, suyos in self._de.items() if quien != self._yo]
        atendidos = mios + sum(sum(suyos.values()) for suyos in ajenos)
        return atendidos == cuantos and all(len(suyos) - mios < 2 for suyos in ajenos)

    def _espera_a(self, carril: int) -> str | None:
        cedido = self._cedidos.get(carril)
        return cedido[0] if cedido is not None and time.monotonic() - cedido[1] < CESION_S else None
