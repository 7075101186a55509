"""La libreta de direcciones: una copia de los clientes, hecha de lo que cliente anuncia."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import Column, Engine, Integer, MetaData, Table, Text, Uuid, select, update
from sqlalchemy.orm import Session

from aeroalpes.modulos.cliente.infraestructura.schema.v1.eventos import (
    TOPICO,
    ClienteCambiado,
    ClienteCreado,
    EventosCliente,
)
from notificaciones import migraciones
from notificaciones.direcciones import DireccionInvalida, validar_direccion
from seedwork.infraestructura.base_datos import de_lectura, insertar_si_falta
from seedwork.infraestructura.declaracion import message_handler
from seedwork.infraestructura.migraciones import Migraciones

MIGRACIONES = Migraciones("notificaciones", Path(migraciones.__file__).parent)
_registro = structlog.get_logger(__name__)

_clientes = Table(
    "notificaciones_clientes",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("nombre", Text),
    Column("correo", Text),  # NULL: se sabe de él, y no tiene adónde escribirle
)


@dataclass(frozen=True)
class Contacto:
    """Cómo se llama un cliente y a qué correo se le escribe, si lo tiene."""

    nombre: str | None
    correo: str | None


class Libreta:
    """Lee las direcciones en transacciones propias y breves: mandar un correo no retiene la base."""

    def __init__(self, motor: Engine) -> None:
        self._motor = de_lectura(motor)

    def buscar(self, id_cliente: UUID) -> Contacto | None:
        """None si todavía no se ha oído hablar de ese cliente."""
        suyo = select(_clientes.c.nombre, _clientes.c.correo).where(_clientes.c.id == id_cliente)
        with self._motor.connect() as conexion:
            fila = conexion.execute(suyo).first()
        return Contacto(fila.nombre, fila.correo) if fila else None


@message_handler(TOPICO, suscripcion="sub-notificacion-eventos-clientes", permanentes=(ValueError,))
def apuntar(evento: EventosCliente, sesion: Session) -> None:
    """Guarda el estado en que queda el cliente, salvo que ya se conozca uno posterior."""
    estado = evento.cliente_creado or evento.cliente_cambiado
    if estado is not None:
        _apuntar(sesion, UUID(estado.id_cliente), estado.version, estado.nombre, _direccion(estado))
    elif evento.cliente_eliminado is not None:
        _apuntar(sesion, UUID(evento.cliente_eliminado.id_cliente), evento.cliente_eliminado.version, None, None)


def _apuntar(sesion: Session, id: UUID, version: int, nombre: str | None, correo: str | None) -> None:
    fila = {"id": id, "version": version, "nombre": nombre, "correo": correo}
    if not insertar_si_falta(sesion, _clientes, fila, "id"):
        anterior = (_clientes.c.id == id, _clientes.c.version < version)
        sesion.execute(update(_clientes).where(*anterior).values(fila))


def _direccion(estado: ClienteCreado | ClienteCambiado) -> str | None:
    try:
        return validar_direccion(estado.correo)
    except DireccionInvalida as error:
        _registro.warning("cliente_sin_direccion", id_cliente=estado.id_cliente, error=str(error))
        return None
