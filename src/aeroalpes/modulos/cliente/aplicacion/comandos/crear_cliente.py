"""Dar de alta a un cliente."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from aeroalpes.modulos.cliente.aplicacion.dto import ClienteDTO
from aeroalpes.modulos.cliente.aplicacion.puertos import Clientes
from seedwork.aplicacion.comandos import Comando
from seedwork.dominio.eventos import nuevo_id


@dataclass(frozen=True, kw_only=True)
class CrearCliente(Comando[UUID]):
    """Devuelve su id."""

    nombre: str
    correo: str
    id: UUID = field(default_factory=nuevo_id)


def crear_cliente(comando: CrearCliente, clientes: Clientes) -> UUID:
    clientes.crear(ClienteDTO(id=comando.id, nombre=comando.nombre, correo=comando.correo))
    return comando.id
