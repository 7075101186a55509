"""Lo que los casos de uso piden a quien guarda clientes."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from aeroalpes.modulos.cliente.aplicacion.dto import ClienteDTO


class Clientes(Protocol):
    """Los clientes, por su id; cada cambio anuncia el estado en que queda, en la misma transacción."""

    def crear(self, cliente: ClienteDTO) -> None:
        """`YaExiste` si otro tiene ese correo."""
        ...

    def cambiar(self, cliente: ClienteDTO) -> None:
        """`NoEncontrado` si no existe; `YaExiste` si otro tiene ese correo."""
        ...

    def eliminar(self, id: UUID) -> None:
        """`NoEncontrado` si no existe."""
        ...

    def obtener(self, id: UUID) -> ClienteDTO:
        """`NoEncontrado` si no existe."""
        ...
