"""Un alquiler como dos funciones puras: `decidir` qué pasa y `evolucionar` con lo que pasó."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

EDAD_MINIMA, DIAS_MAXIMOS = 21, 30


class Fase(StrEnum):
    """Por dónde va un alquiler."""

    NINGUNO = "NINGUNO"
    APARTADO = "APARTADO"
    NEGADO = "NEGADO"
    SUELTO = "SUELTO"


@dataclass(frozen=True)
class Apartar:
    """Apartar un coche tantos días para quien tiene esa edad."""

    dias: int
    edad_conductor: int


@dataclass(frozen=True)
class Soltar:
    """Que la reserva no tenga coche."""


@dataclass(frozen=True)
class Apartado:
    dias: int


@dataclass(frozen=True)
class Negado:
    motivo: str


@dataclass(frozen=True)
class Suelto:
    """La reserva no tiene coche, ni lo tendrá."""


Orden = Apartar | Soltar
Hecho = Apartado | Negado | Suelto


def decidir(fase: Fase, orden: Orden) -> tuple[Hecho, ...]:
    """Lo que pasa al recibir la orden; nada si ya había pasado."""
    match orden, fase:
        case Apartar(), Fase.NINGUNO:
            return (_valorar(orden),)
        case Apartar(), Fase.SUELTO:
            return (Negado("La reserva ya soltó su coche"),)
        case Soltar(), Fase.NINGUNO | Fase.APARTADO | Fase.NEGADO:
            return (Suelto(),)
    return ()


def evolucionar(fase: Fase, hecho: Hecho) -> Fase:
    """La fase en que lo deja el hecho."""
    match hecho:
        case Apartado():
            return Fase.APARTADO
        case Suelto():
            return Fase.SUELTO
        case Negado():
            return Fase.NEGADO if fase is Fase.NINGUNO else fase


def _valorar(orden: Apartar) -> Hecho:
    if orden.edad_conductor < EDAD_MINIMA:
        return Negado(f"Para conducir hay que tener al menos {EDAD_MINIMA} años")
    if not 1 <= orden.dias <= DIAS_MAXIMOS:
        return Negado(f"Un coche se alquila entre 1 y {DIAS_MAXIMOS} días")
    return Apartado(orden.dias)
