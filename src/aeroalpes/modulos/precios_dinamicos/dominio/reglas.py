"""Las reglas de una ruta, cada una con su frase."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RutaEntreDosAeropuertos:
    origen: str
    destino: str
    mensaje = "Una ruta va de un aeropuerto a otro distinto"

    def es_valida(self) -> bool:
        return bool(self.origen) and bool(self.destino) and self.origen != self.destino
