"""Olvidar a un cliente."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.cliente.aplicacion.puertos import Clientes
from seedwork.aplicacion.comandos import Comando


@dataclass(frozen=True, kw_only=True)
class EliminarCliente(Comando[None]):
    id: UUID


def eliminar_cliente(comando: EliminarCliente, clientes: Clientes) -> None:
    clientes.eliminar(comando.id)
