"""Las reglas de un pago, cada una con su frase."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MontoPositivo:
    monto: int
    mensaje = "Se cobra un monto mayor que cero"

    def es_valida(self) -> bool:
        return self.monto > 0
