"""Seguir una saga desde fuera: verla con su diario, listar las que hay y reanudar la que se detuvo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.queries import Query
from seedwork.aplicacion.sagas.maquina import EstadoSaga
from seedwork.aplicacion.sagas.puerto import Sagas


@dataclass(frozen=True, kw_only=True)
class PasoDTO:
    """Un paso por el nombre de su comando; `compensacion` es el del que lo deshace, si tiene."""

    comando: str
    estado: str
    compensacion: str | None


@dataclass(frozen=True, kw_only=True)
class NotaDTO:
    """Una línea del diario; `mensaje` es el evento o comando, e `id_mensaje` el del mensaje que la causó."""

    fecha: datetime
    que: str
    mensaje: str
    detalle: str | None
    id_mensaje: str | None


@dataclass(frozen=True, kw_only=True)
class SagaDTO:
    """`vence` es cuándo deja de esperar la respuesta en curso."""

    saga: str
    clave: str
    version: int
    estado: str
    motivo: str | None
    fecha_creacion: datetime
    fecha_actualizacion: datetime
    vence: datetime | None
    pasos: tuple[PasoDTO, ...]


@dataclass(frozen=True, kw_only=True)
class SagaConDiario:
    """Una saga y todo lo que le pasó, en orden."""

    saga: SagaDTO
    diario: tuple[NotaDTO, ...]


@dataclass(frozen=True, kw_only=True)
class PaginaSagas:
    """Una página, de la que cambió hace menos a la que hace más; `siguiente` lleva a la que sigue, si la hay."""

    sagas: tuple[SagaDTO, ...]
    siguiente: str | None


class CursorInvalido(Exception):
    """El cursor no es de los que una página entrega."""


class VistaSagas(Protocol):
    """La lectura de sagas."""

    def por_clave(self, saga: str, clave: str) -> SagaConDiario:
        """`NoEncontrado` si no hay."""
        ...

    def pagina(self, saga: str | None, estado: EstadoSaga | None, limite: int, cursor: str | None) -> PaginaSagas:
        """`CursorInvalido` si el cursor no lo dio una página anterior."""
        ...


@dataclass(frozen=True, kw_only=True)
class ObtenerSaga(Query[SagaConDiario]):
    """Una saga por su nombre y su clave."""

    saga: str
    clave: str


def obtener_saga(query: ObtenerSaga, vista: VistaSagas) -> SagaConDiario:
    return vista.por_clave(query.saga, query.clave)


@dataclass(frozen=True, kw_only=True)
class ListarSagas(Query[PaginaSagas]):
    """Las sagas que cambiaron hace menos: de un nombre y en un estado, si se dicen; `limite` es cuántas a lo más.

    Lo que cambie mientras se pasa de página vuelve a la primera: no se repite más abajo.
    """

    saga: str | None = None
    estado: EstadoSaga | None = None
    limite: int = 50
    cursor: str | None = None


def listar_sagas(query: ListarSagas, vista: VistaSagas) -> PaginaSagas:
    return vista.pagina(query.saga, query.estado, query.limite, query.cursor)


@dataclass(frozen=True, kw_only=True)
class ReanudarSaga(Comando[None]):
    """Vuelve a intentar lo que detuvo a una saga."""

    saga: str
    clave: str


def reanudar_saga(comando: ReanudarSaga, sagas: Sagas) -> None:
    sagas.reanudar(comando.saga, comando.clave)
