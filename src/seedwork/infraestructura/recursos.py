"""Abre la unidad de trabajo de cada mensaje, con su usuario y su inquilino, y los puertos que cuelgan de ella."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NoReturn

import svcs
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from seedwork.aplicacion.compilacion import Ambito
from seedwork.aplicacion.uow import UnidadTrabajo
from seedwork.dominio.excepciones import ConflictoConcurrencia
from seedwork.infraestructura.auditoria import firmado
from seedwork.infraestructura.base_datos import (
    BaseOcupada,
    SoloLectura,
    de_lectura,
    es_conflicto,
    es_de_solo_lectura,
    es_ocupada,
)
from seedwork.infraestructura.dependencias import Dependencias
from seedwork.infraestructura.inquilinos import Actual, Inquilinos, usuario_de
from seedwork.infraestructura.uow import UnidadTrabajoSQLAlchemy

RAICES = (Ambito, UnidadTrabajo, UnidadTrabajoSQLAlchemy, Session)
"""Lo que cada transacción aporta ya hecho a los puertos."""


class SinBaseDeDatos(RuntimeError):
    """Se pidió una transacción a un sistema armado sin base de datos."""


class SinRecursos:
    """Los de un sistema sin base de datos: no abre nada."""

    def __init__(self, _dependencias: Dependencias) -> None: ...

    def abrir(self, *, solo_lectura: bool) -> NoReturn:  # noqa: ARG002 - lo dice el puerto
        raise SinBaseDeDatos("Este sistema no tiene transacciones: dé `base_datos` a bootstrap")


class Recursos:
    """Los de un sistema con base de datos."""

    def __init__(
        self,
        inquilinos: Inquilinos,
        dependencias: Dependencias,
        *,
        uow: Callable[..., UnidadTrabajoSQLAlchemy],
        fabrica_sesion: Callable[..., Session],
        usuario: Actual,
        solo_lectura: bool,
    ) -> None:
        self._inquilinos = inquilinos
        self._dependencias = dependencias
        self._uow = uow
        self._fabrica_sesion = fabrica_sesion
        self._usuario = usuario
        self._solo_lectura = solo_lectura
        self._motores: dict[tuple[str | None, bool], Engine] = {}
        self._cambio: Callable[[Engine], Engine] | None = None

    def sobre(self, cambio: Callable[[Engine], Engine]) -> Recursos:
        """Los mismos, con el motor que `cambio` dé por cada uno de los suyos."""
        otros = copy.copy(self)
        otros._motores, otros._cambio = {}, cambio
        return otros

    @contextmanager
    def abrir(self, *, solo_lectura: bool) -> Iterator[tuple[UnidadTrabajoSQLAlchemy, svcs.Container]]:
        solo_lectura = solo_lectura or self._solo_lectura
        usuario, schema = usuario_de(self._usuario), self._inquilinos.schema()
        motor = firmado(self._motor(schema, solo_lectura), usuario)
        unidad = self._uow(
            partial(self._fabrica_sesion, bind=motor), usuario=usuario, schema=schema, solo_lectura=solo_lectura
        )
        unidad.schema_comun = self._inquilinos.schema_comun
        try:
            with unidad as uow:
                raices = {UnidadTrabajo: uow, UnidadTrabajoSQLAlchemy: uow, type(uow): uow, Session: uow.sesion}
                with self._dependencias.contenedor(raices) as contenedor:
                    yield uow, contenedor
        except DBAPIError as error:
            if isinstance(error, OperationalError) and es_ocupada(error):
                raise BaseOcupada("La base de datos está ocupada; vuelva a intentarlo") from error
            if es_conflicto(error):
                raise ConflictoConcurrencia("Otra transacción cambiaba lo mismo a la vez") from error
            if self._solo_lectura and es_de_solo_lectura(error):
                raise SoloLectura("Este sistema es de sólo lectura: la base no dejó escribir") from error
            raise

    def _motor(self, schema: str | None, solo_lectura: bool) -> Engine:
        motor = self._motores.get((schema, solo_lectura))
        if motor is None:
            escritura = self._inquilinos.motor_de(schema)
            motor = de_lectura(escritura) if solo_lectura else escritura
            motor = self._motores[schema, solo_lectura] = self._cambio(motor) if self._cambio else motor
        return motor
