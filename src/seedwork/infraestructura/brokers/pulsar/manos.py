"""Los mensajes que tiene un consumidor, escritos en poco sitio."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import NamedTuple

Tramos = Mapping[str, Mapping[str, list[list[int]]]]


class Id(NamedTuple):
    """Un mensaje dentro de una suscripción."""

    topico: str
    ledger: int
    entrada: int
    indice: int

    @property
    def texto(self) -> str:
        return f"{self.topico}|{self.ledger}:{self.entrada}:{self.indice}"


def en_tramos(ids: Iterable[Id]) -> Tramos:
    """Por tópico y ledger, tramos `[primera, cuántas]` de entradas seguidas."""
    tramos: dict[str, dict[str, list[list[int]]]] = {}
    for id in sorted(ids):
        lista = tramos.setdefault(id.topico, {}).setdefault(str(id.ledger), [])
        if lista and id.entrada <= lista[-1][0] + lista[-1][1]:
            lista[-1][1] = id.entrada - lista[-1][0] + 1
        else:
            lista.append([id.entrada, 1])
    return tramos


def contiene(tramos: Tramos, id: Id) -> bool:
    lista = tramos.get(id.topico, {}).get(str(id.ledger), [])
    lugar = bisect_right(lista, [id.entrada, 2**62]) - 1
    return lugar >= 0 and id.entrada < lista[lugar][0] + lista[lugar][1]
