"""La unidad de trabajo sobre SQLAlchemy."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import structlog
from sqlalchemy.orm import Session

from seedwork.dominio.entidades import AgregacionRaiz
from seedwork.dominio.eventos import EventoDominio
from seedwork.infraestructura.base_datos import SoloLectura

A = TypeVar("A", bound=AgregacionRaiz)
_log = structlog.get_logger(__name__)

Seguido = tuple[AgregacionRaiz, Callable[[Any], None]]


class UnidadTrabajoSQLAlchemy:
    """Una sesión y los agregados que pasaron por ella; implementa el puerto `UnidadTrabajo`.

    La transacción empieza con la primera sentencia, no al abrir. No se comparte entre hilos a la vez. `usuario` es en
    nombre de quién se escribe y `schema` el del inquilino, si los hay; con `solo_lectura`, ni esta clase ni la base
    dejan escribir. Una subclase se da a `bootstrap(uow=...)`.
    """

    def __init__(
        self,
        fabrica_sesion: Callable[[], Session],
        *,
        usuario: object | None = None,
        schema: str | None = None,
        solo_lectura: bool = False,
    ) -> None:
        self._fabrica_sesion = fabrica_sesion
        self.usuario = usuario
        self.schema = schema
        self.solo_lectura = solo_lectura
        self.schema_comun: str | None = None
        self._sesion: Session | None = None
        self._seguidos: dict[tuple[type, Any], Seguido] = {}
        self._eventos: list[EventoDominio] = []
        self._avisos: list[Callable[[], None]] = []

    @property
    def sesion(self) -> Session:
        """La sesión de esta transacción."""
        if self._sesion is None:
            raise RuntimeError("La unidad de trabajo no está abierta: use `with`")
        return self._sesion

    @property
    def en_comun(self) -> dict[str, Any]:
        """Opciones de ejecución para lo que no es de un inquilino, como el outbox."""
        return {} if self.schema_comun is None else {"schema_translate_map": {None: self.schema_comun}}

    def __enter__(self) -> Self:
        self._sesion = self._fabrica_sesion()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.rollback()
        finally:
            self.sesion.close()
            self._sesion = None

    def exigir_escritura(self) -> None:
        """Lanza `SoloLectura` si esta transacción no puede escribir."""
        if self.solo_lectura:
            raise SoloLectura("Esta transacción es de sólo lectura: no guarda ni publica nada")

    def seguido(self, tipo: type[A], id: Any) -> A | None:
        """El agregado que ya pasó por esta unidad con esa identidad: siempre el mismo objeto."""
        encontrado = self._seguidos.get((tipo, id))
        return encontrado[0] if encontrado else None  # type: ignore[return-value]

    def seguir(self, agregado: A, guardar: Callable[[A], None]) -> None:
        self._seguidos[(type(agregado), agregado.id)] = (agregado, guardar)

    def anotar_eventos(self, agregado: AgregacionRaiz) -> None:
        """Toma los eventos de un agregado recién escrito: estado y eventos se confirman juntos."""
        self._eventos.extend(agregado.extraer_eventos())

    def extraer_eventos(self) -> list[EventoDominio]:
        self._guardar_pendientes()
        eventos, self._eventos = self._eventos, []
        return eventos

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        self._guardar_pendientes()
        seguidos, eventos, avisos = dict(self._seguidos), list(self._eventos), list(self._avisos)
        estados = [(agregado, copy.deepcopy(vars(agregado))) for agregado, _ in seguidos.values()]
        try:
            with self.sesion.begin_nested():
                yield
                self._guardar_pendientes()
        except BaseException:
            self._seguidos, self._eventos, self._avisos = seguidos, eventos, avisos
            for agregado, estado in estados:  # lo que hay en memoria vuelve a ser lo que hay en la base
                vars(agregado).clear()
                vars(agregado).update(estado)
            raise

    def _guardar_pendientes(self) -> None:
        for agregado, guardar in list(self._seguidos.values()):
            if agregado.tiene_eventos:
                guardar(agregado)

    def al_confirmar(self, aviso: Callable[[], None]) -> None:
        self._avisos.append(aviso)

    def commit(self) -> None:
        self.sesion.commit()
        avisos, self._avisos = self._avisos, []
        for aviso in avisos:
            try:
                aviso()
            except Exception:  # noqa: BLE001 - ya está confirmado: un aviso que falla no lo deshace
                _log.exception("uow.aviso_fallido")

    def rollback(self) -> None:
        self.sesion.rollback()
        self._seguidos.clear()
        self._eventos.clear()
        self._avisos.clear()
