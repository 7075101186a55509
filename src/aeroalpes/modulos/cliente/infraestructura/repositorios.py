"""Los clientes en SQLAlchemy: cada cambio escribe la fila y deja en el outbox el estado en que queda."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from aeroalpes.modulos.cliente.aplicacion.dto import ClienteDTO
from aeroalpes.modulos.cliente.infraestructura.schema.v1 import eventos
from aeroalpes.modulos.cliente.infraestructura.tablas import clientes
from seedwork.aplicacion.mensajes import Despachador
from seedwork.dominio.excepciones import NoEncontrado, YaExiste
from seedwork.infraestructura.base_datos import insertar_si_falta
from seedwork.infraestructura.outbox import Servicio
from seedwork.infraestructura.schema.v1.mensajes import sobre


class ClientesSQLAlchemy:
    """Implementa `Clientes`."""

    def __init__(self, sesion: Session, despachador: Despachador, servicio: Servicio) -> None:
        self._sesion = sesion
        self._despachador = despachador
        self._servicio = servicio

    def crear(self, cliente: ClienteDTO) -> None:
        fila = {**_columnas(cliente), "id": cliente.id, "version": 1}
        if not insertar_si_falta(self._sesion, clientes, fila, "correo_unico"):
            raise _correo_tomado()
        estado = eventos.ClienteCreado(
            id_cliente=str(cliente.id), version=1, nombre=cliente.nombre, correo=cliente.correo
        )
        self._anunciar("ClienteCreado", cliente.id, cliente_creado=estado)

    def cambiar(self, cliente: ClienteDTO) -> None:
        suya = update(clientes).where(clientes.c.id == cliente.id)
        cambio = suya.values(**_columnas(cliente), version=clientes.c.version + 1).returning(clientes.c.version)
        try:
            version = self._sesion.execute(cambio).scalar_one_or_none()
        except IntegrityError as error:
            raise _correo_tomado() from error
        if version is None:
            raise _no_existe(cliente.id)
        estado = eventos.ClienteCambiado(
            id_cliente=str(cliente.id), version=version, nombre=cliente.nombre, correo=cliente.correo
        )
        self._anunciar("ClienteCambiado", cliente.id, cliente_cambiado=estado)

    def eliminar(self, id: UUID) -> None:
        suya = delete(clientes).where(clientes.c.id == id).returning(clientes.c.version)
        version = self._sesion.execute(suya).scalar_one_or_none()
        if version is None:
            raise _no_existe(id)
        estado = eventos.ClienteEliminado(id_cliente=str(id), version=version + 1)
        self._anunciar("ClienteEliminado", id, cliente_eliminado=estado)

    def obtener(self, id: UUID) -> ClienteDTO:
        fila = self._sesion.execute(select(clientes).where(clientes.c.id == id)).first()
        if fila is None:
            raise _no_existe(id)
        return ClienteDTO(id=fila.id, nombre=fila.nombre, correo=fila.correo)

    def _anunciar(self, tipo: str, id: UUID, **variante: Any) -> None:
        registro = eventos.EventosCliente(**sobre(tipo, self._servicio), **variante)
        self._despachador.publicar(registro, topico=eventos.TOPICO, clave=str(id))


def _columnas(cliente: ClienteDTO) -> dict[str, str]:
    return {"nombre": cliente.nombre, "correo": cliente.correo, "correo_unico": cliente.correo.lower()}


def _correo_tomado() -> YaExiste:
    return YaExiste("Ya hay un cliente con ese correo")


def _no_existe(id: UUID) -> NoEncontrado:
    return NoEncontrado(f"No existe el cliente {id}")
