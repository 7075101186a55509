"""Lo que cuesta hoy una ruta."""

from __future__ import annotations

from dataclasses import dataclass

from aeroalpes.modulos.precios_dinamicos.aplicacion.puertos import VistaDemanda
from aeroalpes.modulos.precios_dinamicos.dominio.rutas import Ruta, cotizar
from seedwork.aplicacion.queries import Query


@dataclass(frozen=True, kw_only=True)
class PrecioDTO:
    """`precio` en centavos; `demanda`, cuántas reservas vivas tienen esa ruta."""

    origen: str
    destino: str
    precio: int
    demanda: int


@dataclass(frozen=True, kw_only=True)
class ObtenerPrecio(Query[PrecioDTO]):
    """Una ruta que nadie ha reservado cuesta la tarifa base."""

    origen: str
    destino: str


def obtener_precio(query: ObtenerPrecio, vista: VistaDemanda) -> PrecioDTO:
    ruta = Ruta.entre(query.origen, query.destino)
    demanda = vista.de(ruta)
    return PrecioDTO(origen=ruta.origen, destino=ruta.destino, precio=cotizar(demanda), demanda=demanda)
