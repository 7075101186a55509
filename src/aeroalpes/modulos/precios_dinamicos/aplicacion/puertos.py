"""Lo que los casos de uso piden a quien lleva la cuenta."""

from __future__ import annotations

from typing import Protocol

from aeroalpes.modulos.precios_dinamicos.dominio.rutas import Ruta


class VistaDemanda(Protocol):
    """Cuánto se reserva cada ruta."""

    def de(self, ruta: Ruta) -> int:
        """Cuántas reservas vivas la tienen; 0 si ninguna."""
        ...
