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


class VistaSagas(Protocol):
    """La lectura de sagas."""

    def por_clave(self, saga: str, clave: str) -> SagaConDiario:
        """`NoEncontrado` si no hay."""
        ...

    def listar(self, estado: EstadoSaga | None, limite: int) -> tuple[SagaDTO, ...]:
        """Las que cambiaron hace menos, primero; sólo las de ese estado, si se dice."""
        ...


@dataclass(frozen=True, kw_only=True)
class ObtenerSaga(Query[SagaConDiario]):
    """Una saga por su nombre y su clave."""

    saga: str
    clave: str


def obtener_saga(query: ObtenerSaga, vista: VistaSagas) -> SagaConDiario:
    return vista.por_clave(query.saga, query.clave)


@dataclass(frozen=True, kw_only=True)
class ListarSagas(Query[tuple[SagaDTO, ...]]):
    """Las últimas sagas que cambiaron; `limite` es cuántas como mucho."""

    estado: EstadoSaga | None = None
    limite: int = 50


def listar_sagas(query: ListarSagas, vista: VistaSagas) -> tuple[SagaDTO, ...]:
    return vista.listar(query.estado, query.limite)


@dataclass(frozen=True, kw_only=True)
class ReanudarSaga(Comando[None]):
    """Vuelve a intentar lo que detuvo a una saga."""

    saga: str
    clave: str


def reanudar_saga(comando: ReanudarSaga, sagas: Sagas) -> None:
    sagas.reanudar(comando.saga, comando.clave)
