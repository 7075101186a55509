"""El registro del tópico `eventos-cliente` (clave: id del cliente).

Cada evento lleva el estado entero en que queda el cliente: quien lo oye guarda su copia y no pregunta nada.
"""

from __future__ import annotations

from dataclasses import dataclass

from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion

TOPICO = "eventos-cliente"


@dataclass(frozen=True, kw_only=True)
class ClienteCreado:
    """Así empieza; `version` es 1."""

    id_cliente: str
    version: int
    nombre: str
    correo: str


@dataclass(frozen=True, kw_only=True)
class ClienteCambiado:
    """Así queda; `version` crece de uno en uno, y la de un estado anterior es menor."""

    id_cliente: str
    version: int
    nombre: str
    correo: str


@dataclass(frozen=True, kw_only=True)
class ClienteEliminado:
    """Ya no existe: quien guarde una copia la borra."""

    id_cliente: str
    version: int


@dataclass(frozen=True, kw_only=True)
class EventosCliente(EventoIntegracion):
    """Lo que le pasa a un cliente: exactamente una variante, la que nombra `type`."""

    cliente_creado: ClienteCreado | None = None
    cliente_cambiado: ClienteCambiado | None = None
    cliente_eliminado: ClienteEliminado | None = None
