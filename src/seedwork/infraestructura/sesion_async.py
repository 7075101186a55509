"""`AsyncSession` para los handlers `async def`: la transacción de siempre, sobre el driver asíncrono de la base."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.util.concurrency import greenlet_spawn

from seedwork.aplicacion.compilacion import Ambito
from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.aplicacion.hilos import entero
from seedwork.aplicacion.transaccion import Transaccion
from seedwork.infraestructura.base_datos import (
    ESCRIBEN_EN,
    ESPERA_BLOQUEO_MS,
    BaseOcupada,
    preparar_motor,
    preparar_sqlite,
)
from seedwork.infraestructura.declaracion import Consumidor, es_sesion_async

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

T = TypeVar("T")
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}


class AmbitoAsincrono:
    """Los puertos de un mensaje, con una `AsyncSession` sobre la sesión de su transacción."""

    def __init__(self, transaccion: Transaccion) -> None:
        from sqlalchemy.ext.asyncio import AsyncSession

        uow: Any = transaccion.uow
        clase: Any = lambda **_: uow.sesion  # noqa: E731 - la sesión ya está hecha: sólo se envuelve
        self._sesion: AsyncSession = AsyncSession(sync_session_class=clase)
        self._ambito: Ambito = transaccion.ambito

    def get(self, svc_type: Any, /) -> Any:
        return self._sesion if es_sesion_async(svc_type) else self._ambito.get(svc_type)


class BaseAsincrona:
    """Un motor asíncrono sobre la misma base que un `Engine`; se usa desde un event loop y se cierra en él."""

    def __init__(self, motor: Engine) -> None:
        """No abre nada; lanza `ErrorDeArranque` si falta el driver o no hay uno para esa base."""
        base = motor.dialect.name
        if base not in _DRIVERS:
            raise ErrorDeArranque(f"No hay `AsyncSession` para {base}: pida `Session`")
        try:
            from sqlalchemy.ext.asyncio import create_async_engine

            url = motor.url.set(drivername=_DRIVERS[base])
            self._motor = create_async_engine(url, pool_pre_ping=base != "sqlite", pool_size=20, max_overflow=20)
        except ImportError as error:
            raise ErrorDeArranque(
                f"Para usar `AsyncSession` sobre {base} falta un paquete ({error.name or 'greenlet'}): instale el extra"
                " con `pip install aeroalpes-seedwork[asyncio]`"
            ) from error
        if base == "sqlite":
            turno = _Turno()
            event.listen(self._motor.sync_engine, "connect", preparar_sqlite)
            event.listen(self._motor.sync_engine, "begin", turno.empezar)
            event.listen(self._motor.sync_engine, "checkin", turno.soltar)
        else:
            preparar_motor(self._motor.sync_engine)

    def motor_de(self, motor: Engine) -> Engine:
        """El motor asíncrono, con las opciones de `motor` (su schema, su usuario)."""
        return self._motor.sync_engine.execution_options(**motor.get_execution_options())

    async def correr(self, funcion: Callable[..., T], *argumentos: Any) -> T:
        """Corre código síncrono de SQLAlchemy sobre este motor sin bloquear el event loop, y hasta el final aunque
        cancelen."""
        return await entero(greenlet_spawn(funcion, *argumentos))

    async def cerrar(self) -> None:
        await self._motor.dispose()


def base_asincrona(consumidores: Iterable[Consumidor], motor: Engine | None) -> BaseAsincrona | None:
    """La que necesiten esos consumidores, o None si ninguno pide `AsyncSession`; `ErrorDeArranque` si no puede ser."""
    for consumidor in consumidores:
        if any(es_sesion_async(puerto) for ruta in consumidor.rutas for puerto in ruta.firma.puertos):
            if motor is None:
                raise ErrorDeArranque(f"{consumidor.nombre} pide AsyncSession y no hay base de datos: dé `base_datos`")
            return BaseAsincrona(motor)
    return None


class _Turno:
    """En SQLite escribe uno a la vez: aquí se espera en fila, sin bloquear el event loop."""

    def __init__(self) -> None:
        self._candado = asyncio.Lock()

    def empezar(self, conexion: Connection) -> None:
        dbapi: Any = conexion.connection.dbapi_connection
        dbapi.run_async(lambda _: self._candado.acquire())
        conexion.info["turno"] = True
        driver = dbapi.driver_connection
        ESCRIBEN_EN[asyncio.get_running_loop()] = conexion.engine.url.database, lambda: driver.in_transaction
        dbapi.run_async(_empezar_a_escribir)

    def soltar(self, _conexion: Any, registro: Any) -> None:
        if registro.info.pop("turno", False):
            ESCRIBEN_EN.pop(asyncio.get_running_loop(), None)
            self._candado.release()


async def _empezar_a_escribir(db: Any) -> None:
    """BEGIN IMMEDIATE, insistiendo si otro hilo o proceso escribe; `BaseOcupada` si no la sueltan a tiempo."""
    limite = time.monotonic() + ESPERA_BLOQUEO_MS / 1000
    await _ejecutar(db, "PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                await _ejecutar(db, "BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                if time.monotonic() >= limite:
                    raise BaseOcupada("La base de datos está ocupada; vuelva a intentarlo") from error
            await asyncio.sleep(random.uniform(0.0005, 0.003))  # noqa: S311 - separa a los que compiten
    finally:
        await _ejecutar(db, f"PRAGMA busy_timeout = {ESPERA_BLOQUEO_MS}")


async def _ejecutar(db: Any, sentencia: str) -> None:
    async with db.execute(sentencia):
        pass
