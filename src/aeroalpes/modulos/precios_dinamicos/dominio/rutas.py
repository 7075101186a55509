"""Una ruta y lo que cuesta volarla."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from aeroalpes.modulos.precios_dinamicos.dominio.reglas import RutaEntreDosAeropuertos
from seedwork.dominio.objetos_valor import ObjetoValor
from seedwork.dominio.reglas import validar

TARIFA_BASE = 12_000
"""Centavos, cuando nadie ha reservado la ruta."""
ALZA_POR_RESERVA = 2
"""Cuánto sube con cada reserva viva, en centésimas de la tarifa base."""
TOPE = 3
"""Por cuánto se multiplica, como mucho, la tarifa base."""


@dataclass(frozen=True)
class Ruta(ObjetoValor):
    """De un aeropuerto a otro, por sus códigos en mayúsculas."""

    origen: str
    destino: str

    def __post_init__(self) -> None:
        validar(RutaEntreDosAeropuertos(self.origen, self.destino))

    @classmethod
    def entre(cls, origen: str, destino: str) -> Self:
        """La ruta entre dos códigos escritos de cualquier manera."""
        return cls(origen.strip().upper(), destino.strip().upper())


def cotizar(demanda: int) -> int:
    """Lo que cuesta una plaza, en centavos, cuando la ruta tiene `demanda` reservas vivas."""
    return min(TARIFA_BASE * TOPE, TARIFA_BASE + TARIFA_BASE * ALZA_POR_RESERVA * demanda // 100)
