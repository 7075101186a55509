"""Lo que los casos de uso piden a quien lleva la cuenta."""

from __future__ import annotations

from typing import Protocol

from aeroalpes.modulos.precios_dinamicos.aplicacion.dto import DiaDTO
from aeroalpes.modulos.precios_dinamicos.dominio.rutas import Ruta


class VistaDemanda(Protocol):
    """Cuánto se reserva cada ruta."""

    def de(self, ruta: Ruta) -> int:
        """Cuántas reservas vivas la tienen; 0 si ninguna."""
        ...


class VistaHistoria(Protocol):
    """Cuánto se reservó cada ruta, día a día."""

    def de(self, ruta: Ruta, dias: int) -> list[DiaDTO]:
        """Los últimos `dias` con alguna reserva, del más viejo al más nuevo."""
        ...
