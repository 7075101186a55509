"""De lo que publica vuelos a las rutas de aquí."""

from __future__ import annotations

from collections.abc import Iterable

from aeroalpes.modulos.precios_dinamicos.dominio.rutas import Ruta
from aeroalpes.modulos.vuelos.infraestructura.schema.v1.eventos import Tramo


def rutas_de(tramos: Iterable[Tramo]) -> list[Ruta]:
    """Sin repetir, y siempre en el mismo orden: dos reservas que comparten rutas no se bloquean una a otra."""
    unicas = {Ruta.entre(tramo.origen, tramo.destino) for tramo in tramos}
    return sorted(unicas, key=lambda ruta: (ruta.origen, ruta.destino))
