"""Lo que los casos de uso piden al resto del mundo, además de guardar pagos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from aeroalpes.modulos.pagos.aplicacion.dto import PagoDTO


@dataclass(frozen=True, kw_only=True)
class Cargo:
    """Lo que se pide a la pasarela: `monto` centavos al `medio` del cliente (None: el de la casa).

    `clave` es la de idempotencia: repetir el cargo con la misma es el mismo cargo.
    """

    clave: str
    monto: int
    medio: str | None


@dataclass(frozen=True)
class Aceptado:
    """La pasarela cobró."""

    autorizacion: str


@dataclass(frozen=True)
class Rechazado:
    """La pasarela no cobró ni cobrará ese cargo."""

    motivo: str


class PasarelaSinRespuesta(Exception):
    """La pasarela no respondió a tiempo: no se sabe si hizo lo que se le pidió."""


class PasarelaPagos(Protocol):
    """La pasarela de pagos, que es de otros; cada llamada responde o se rinde en un plazo acotado."""

    async def cobrar(self, cargo: Cargo) -> Aceptado | Rechazado:
        """Cobra una sola vez por clave; lanza `PasarelaSinRespuesta`."""
        ...

    async def devolver(self, cargo: Cargo) -> int:
        """Devuelve todo lo cobrado con esa clave y dice cuántos centavos lleva devueltos en total.

        0 si nunca se cobró. Repetirlo no devuelve dos veces. Lanza `PasarelaSinRespuesta`.
        """
        ...


class VistaPagos(Protocol):
    """La lectura de pagos."""

    def de_reserva(self, id_reserva: UUID) -> PagoDTO:
        """`NoEncontrado` si de esa reserva nunca se pidió cobrar ni revertir."""
        ...
