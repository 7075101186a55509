"""Las reservas, por páginas."""

from __future__ import annotations

from dataclasses import dataclass

from aeroalpes.modulos.vuelos.aplicacion.dto import PaginaReservas
from aeroalpes.modulos.vuelos.aplicacion.puertos import VistaReservas
from seedwork.aplicacion.queries import Query


@dataclass(frozen=True, kw_only=True)
class ListarReservas(Query[PaginaReservas]):
    limite: int = 20
    cursor: str | None = None


def listar_reservas(query: ListarReservas, vista: VistaReservas) -> PaginaReservas:
    return vista.pagina(query.limite, query.cursor)
