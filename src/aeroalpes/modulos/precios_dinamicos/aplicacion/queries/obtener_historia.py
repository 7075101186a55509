"""Cuánto se ha reservado una ruta, día a día."""

from __future__ import annotations

from dataclasses import dataclass

from aeroalpes.modulos.precios_dinamicos.aplicacion.dto import DiaDTO
from aeroalpes.modulos.precios_dinamicos.aplicacion.puertos import VistaHistoria
from aeroalpes.modulos.precios_dinamicos.dominio.rutas import Ruta
from seedwork.aplicacion.queries import Query

DIAS_MAXIMO = 90


@dataclass(frozen=True, kw_only=True)
class HistoriaDTO:
    """`dias` son los que tuvieron alguna reserva, del más viejo al más nuevo; a lo más, los noventa últimos."""

    origen: str
    destino: str
    dias: list[DiaDTO]


@dataclass(frozen=True, kw_only=True)
class ObtenerHistoria(Query[HistoriaDTO]):
    """De una ruta que nadie ha reservado no hay días."""

    origen: str
    destino: str


def obtener_historia(query: ObtenerHistoria, vista: VistaHistoria) -> HistoriaDTO:
    ruta = Ruta.entre(query.origen, query.destino)
    return HistoriaDTO(origen=ruta.origen, destino=ruta.destino, dias=vista.de(ruta, DIAS_MAXIMO))
