"""La forma de un cliente: datos, sin reglas."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class ClienteDTO:
    id: UUID
    nombre: str
    correo: str
