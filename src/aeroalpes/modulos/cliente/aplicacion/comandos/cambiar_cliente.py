"""Cambiar los datos de un cliente."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.cliente.aplicacion.dto import ClienteDTO
from aeroalpes.modulos.cliente.aplicacion.puertos import Clientes
from seedwork.aplicacion.comandos import Comando


@dataclass(frozen=True, kw_only=True)
class CambiarCliente(Comando[None]):
    id: UUID
    nombre: str
    correo: str


def cambiar_cliente(comando: CambiarCliente, clientes: Clientes) -> None:
    clientes.cambiar(ClienteDTO(id=comando.id, nombre=comando.nombre, correo=comando.correo))
