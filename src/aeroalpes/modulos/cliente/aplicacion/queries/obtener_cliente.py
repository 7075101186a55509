"""Un cliente por su id."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.cliente.aplicacion.dto import ClienteDTO
from aeroalpes.modulos.cliente.aplicacion.puertos import Clientes
from seedwork.aplicacion.queries import Query


@dataclass(frozen=True, kw_only=True)
class ObtenerCliente(Query[ClienteDTO]):
    id: UUID


def obtener_cliente(query: ObtenerCliente, clientes: Clientes) -> ClienteDTO:
    return clientes.obtener(query.id)
