"""Las sagas que un sistema lleva, comprobadas al arrancar: sus versiones, quién despacha lo que mandan y qué quedó."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from pydantic import PydanticUserError, TypeAdapter
from sqlalchemy import Engine, func, select, text

from seedwork.aplicacion.compilacion import HandlerCompilado
from seedwork.aplicacion.firmas import ErrorDeArranque, nombre_de
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.sagas.definicion import Saga, SagaInvalida
from seedwork.infraestructura.base_datos import de_lectura
from seedwork.infraestructura.tablas import sagas as tabla_sagas

ABIERTAS = "estado IN ('EN_CURSO', 'COMPENSANDO', 'DETENIDA')"
"""Las que no acabaron: la condición de su índice, letra por letra."""


class DefinicionAusente(ErrorDeArranque):
    """Hay sagas en curso que empezaron con una definición que ya no está entre las listadas, o que cambió."""


class SagaRepetida(ErrorDeArranque):
    """Dos sagas con el mismo nombre y la misma versión."""


class SinDespachador(ErrorDeArranque):
    """Una saga manda un comando que ningún módulo atiende en su tabla `comandos`."""


class DefinicionesSagas:
    """Todas las definiciones listadas; de cada nombre, la de versión más alta es la que empieza sagas nuevas."""

    def __init__(self, modulos: Iterable[Modulo]) -> None:
        self._todas: dict[tuple[str, int], Saga] = {}
        self._duenos: dict[str, str] = {}
        self._por_evento: dict[type, dict[str, None]] = {}
        self.vigentes: dict[str, Saga] = {}
        self._despachadores: Mapping[type, HandlerCompilado] = {}
        for modulo in modulos:
            for saga in modulo.sagas:
                self._anadir(modulo.nombre, saga)

    def __bool__(self) -> bool:
        return bool(self._todas)

    def de(self, nombre: str, version: int, forma: str) -> Saga:
        """La definición con que empezó una saga; `DefinicionAusente` si ya no es la misma."""
        saga = self._todas.get((nombre, version))
        if saga is None or saga.forma != forma:
            que = "no está listada" if saga is None else "cambió sin cambiar de versión"
            raise DefinicionAusente(f"La versión {version} de la saga {nombre!r} {que}")
        return saga

    def listada(self, nombre: str, version: int) -> Saga | None:
        """La definición de esa versión, si está."""
        return self._todas.get((nombre, version))

    def que_escuchan(self, tipo: type) -> Iterable[str]:
        """Los nombres de las sagas que escuchan ese evento, en alguna versión."""
        return self._por_evento.get(tipo, ())

    def despachador(self, comando: type) -> HandlerCompilado:
        return self._despachadores[comando]

    def despacha(self, comandos: Mapping[type, HandlerCompilado]) -> None:
        """Toma de la tabla del bus quién despacha cada comando; `SinDespachador` si falta alguno."""
        for saga in self._todas.values():
            for comando in saga.comandos:
                if comando not in comandos:
                    raise SinDespachador(
                        f"La saga {saga.nombre!r} manda {nombre_de(comando)} y ningún módulo lo despacha: falta en"
                        f" `comandos` del módulo {self._duenos[saga.nombre]}"
                    )
                if comandos[comando].es_async:
                    raise SinDespachador(
                        f"{comandos[comando].nombre} despacha lo que manda la saga {saga.nombre!r}, dentro de su"
                        " transacción: debe ser `def`, no `async def`"
                    )
        self._despachadores = comandos

    def exigir_en_curso(self, motor: Engine) -> None:
        """Lanza `DefinicionAusente` si quedó alguna saga sin acabar cuya definición falta o cambió."""
        columnas = tabla_sagas.c.saga, tabla_sagas.c.definicion, tabla_sagas.c.forma
        abiertas = select(*columnas, func.count()).where(text(ABIERTAS)).group_by(*columnas)
        with de_lectura(motor).connect() as conexion:
            for nombre, version, forma, cuantas in conexion.execute(abiertas):
                try:
                    self.de(nombre, version, forma)
                except DefinicionAusente as error:
                    raise DefinicionAusente(
                        f"{error}, y quedan {cuantas} sin acabar: liste la definición con que empezaron y dé a la nueva"
                        " una versión mayor"
                    ) from error

    def _anadir(self, modulo: str, saga: Saga) -> None:
        if not isinstance(saga, Saga):
            raise SagaInvalida(f"En `sagas` del módulo {modulo} hay {saga!r}, que no es una Saga")
        if (saga.nombre, saga.version) in self._todas or self._duenos.setdefault(saga.nombre, modulo) != modulo:
            raise SagaRepetida(
                f"La saga {saga.nombre!r} (versión {saga.version}) está dos veces: en los módulos"
                f" {self._duenos[saga.nombre]} y {modulo}"
            )
        for otra in self._todas.values():
            if otra.nombre == saga.nombre and otra.clave != saga.clave:
                raise SagaInvalida(
                    f"Las versiones de la saga {saga.nombre!r} tienen claves distintas: es la misma saga"
                )
        for tipo in (*saga.eventos, *saga.comandos):
            adaptador(tipo)
        for tipo in saga.eventos:
            self._por_evento.setdefault(tipo, {})[saga.nombre] = None
        self._todas[saga.nombre, saga.version] = saga
        vigente = self.vigentes.get(saga.nombre)
        if vigente is None or vigente.version < saga.version:
            self.vigentes[saga.nombre] = saga


@cache
def adaptador(tipo: type) -> TypeAdapter[Any]:
    """Lo que lleva un evento o un comando a JSON y de vuelta; `SagaInvalida` si no se puede."""
    try:
        adaptador: TypeAdapter[Any] = TypeAdapter(tipo)
        adaptador.rebuild()  # un tipo que no se encuentra se sabría, si no, al usarlo
        return adaptador
    except (PydanticUserError, NameError, TypeError) as error:
        raise SagaInvalida(f"{nombre_de(tipo)} no se puede guardar entre un paso y otro: {error}") from error


@cache
def campos_de(tipo: Any) -> frozenset[str]:
    """Los campos con que se construye una dataclass."""
    return frozenset(campo.name for campo in fields(tipo) if campo.init)
