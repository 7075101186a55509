"""`bootstrap`: de módulos y una base de datos a un bus listo, o un error que dice qué falta."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import svcs
from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from seedwork.aplicacion.bus import Bus
from seedwork.aplicacion.completitud import exigir_completo
from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.aplicacion.mensajes import Despachador, Inbox, Reloj
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.uow import UnidadTrabajo
from seedwork.dominio.eventos import ahora
from seedwork.infraestructura.base_datos import BaseOcupada, crear_motor, de_lectura, es_ocupada
from seedwork.infraestructura.brokers import conectar
from seedwork.infraestructura.dependencias import Dependencias, reunir
from seedwork.infraestructura.inbox import InboxSQLAlchemy
from seedwork.infraestructura.migraciones import SEEDWORK, Migraciones, migrar
from seedwork.infraestructura.outbox import AvisoOutbox, DespachadorOutbox, Servicio
from seedwork.infraestructura.uow import UnidadTrabajoSQLAlchemy
from seedwork.infraestructura.vigia import Campana

_RAICES = (UnidadTrabajo, UnidadTrabajoSQLAlchemy, Session)


class BaseInservible(ErrorDeArranque):
    """La base de datos que se pidió no se puede abrir o no es una base."""


class SinBaseDeDatos(RuntimeError):
    """Se pidió una transacción a un sistema armado sin base de datos."""


class RelojSistema:
    """El reloj de la máquina."""

    def ahora(self) -> Any:
        return ahora()


class Sistema(Bus):
    """Un bus con su base de datos, su outbox y sus puertos: lo que `bootstrap` devuelve."""

    def __init__(
        self,
        modulos: Iterable[Modulo],
        *,
        motor: Engine | None,
        servicio: str,
        broker: str | None,
        puertos: Mapping[Any, Any],
    ) -> None:
        self.motor = motor
        self.servicio = servicio
        self.url_broker = broker
        self.aviso = AvisoOutbox()
        self._campana = Campana(motor) if motor is not None and motor.dialect.name == "postgresql" else None
        if self._campana is not None:
            self.aviso.escuchar(self._campana.tocar)
        modulos = tuple(modulos)
        propios: dict[Any, Any] = {Reloj: RelojSistema(), Servicio: Servicio(servicio), AvisoOutbox: self.aviso}
        if motor is not None:
            propios |= {Despachador: DespachadorOutbox, DespachadorOutbox: DespachadorOutbox, Inbox: InboxSQLAlchemy}
        self.dependencias = Dependencias(
            reunir(modulos, propios, puertos), por_mensaje=_RAICES if motor is not None else ()
        )
        super().__init__(modulos, self.dependencias, _Recursos(motor, self.dependencias))

    def cerrar(self) -> None:
        """Termina lo que corre y suelta la base."""
        super().cerrar()
        self.dependencias.cerrar()
        if self._campana is not None:
            self._campana.cerrar()
        if self.motor is not None:
            self.motor.dispose()


def bootstrap(
    modulos: Iterable[Modulo] = (),
    *,
    base_datos: str | None = None,
    broker: str | None = None,
    servicio: str = "seedwork",
    fabrica_motor: Callable[[str], Engine] = crear_motor,
    puertos: Mapping[Any, Any] | None = None,
) -> Sistema:
    """Arma el bus: comprueba módulos y URL del broker, abre la base, la migra y compila cada handler.

    `puertos` reemplaza proveedores (en una prueba). Sin `base_datos` no hay transacciones, outbox ni inbox. Lanza
    `ErrorDeArranque` (o una de sus clases) con una frase que nombra lo que está mal armado.
    """
    modulos = tuple(modulos)
    for modulo in modulos:
        exigir_completo(modulo)
    if broker is not None:
        conectar(broker)  # no abre nada: comprueba la URL antes de empezar
    motor = fabrica_motor(base_datos) if base_datos is not None else None
    try:
        if motor is not None:
            propias = [m for modulo in modulos for m in modulo.migraciones if isinstance(m, Migraciones)]
            migrar(motor, SEEDWORK, *propias)
        return Sistema(modulos, motor=motor, servicio=servicio, broker=broker, puertos=puertos or {})
    except BaseException as error:
        if motor is not None:
            motor.dispose()
        if isinstance(error, DBAPIError):
            # La URL ya se leyó bien; lo que sale de aquí es que no hay base, o que lo que hay no lo es.
            donde = make_url(base_datos or "").render_as_string(hide_password=True)
            raise BaseInservible(f"La base de datos {donde!r} no se puede usar: {error.orig}") from error
        raise


class _Recursos:
    def __init__(self, motor: Engine | None, dependencias: Dependencias) -> None:
        self._dependencias = dependencias
        self._hay_base = motor is not None
        if motor is not None:
            self._escritura = sessionmaker(motor, autoflush=False, expire_on_commit=False)
            self._lectura = sessionmaker(de_lectura(motor), autoflush=False, expire_on_commit=False)

    @contextmanager
    def abrir(self, *, solo_lectura: bool) -> Iterator[tuple[UnidadTrabajoSQLAlchemy, svcs.Container]]:
        if not self._hay_base:
            raise SinBaseDeDatos("Este sistema no tiene transacciones: dé `base_datos` a bootstrap")
        try:
            with (
                UnidadTrabajoSQLAlchemy(self._lectura if solo_lectura else self._escritura) as uow,
                self._dependencias.contenedor() as contenedor,
            ):
                for raiz in (UnidadTrabajo, UnidadTrabajoSQLAlchemy):
                    contenedor.register_local_value(raiz, uow)
                contenedor.register_local_value(Session, uow.sesion)
                yield uow, contenedor
        except OperationalError as error:
            if es_ocupada(error):
                raise BaseOcupada("La base de datos está ocupada; vuelva a intentarlo") from error
            raise
