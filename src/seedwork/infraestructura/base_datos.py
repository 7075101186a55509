"""Motores de SQLAlchemy con las costumbres de cada base: cómo empieza una transacción y qué se espera de ella."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.brokers import sin_clave

_SOLO_LECTURA = "seedwork_solo_lectura"
_SCHEMA = "seedwork_schema"
ESPERA_BLOQUEO_MS = 30_000
_REPASO_S = 0.05
# Antes de 3.51.3, dos escritores pueden corromper una base en WAL.
_DIARIO = "WAL" if sqlite3.sqlite_version_info >= (3, 51, 3) else "TRUNCATE"


class URLBaseDatosInvalida(ErrorDeArranque):
    """La URL de la base de datos no se entiende o no sirve."""


class BaseOcupada(Exception):
    """La base no dio turno a tiempo; no quedó nada y se puede volver a intentar."""


class SoloLectura(Exception):
    """Se quiso escribir en una transacción de sólo lectura."""


class TransaccionAnidada(RuntimeError):
    """Se quiso abrir una transacción desde dentro de otra, que la haría esperar para siempre."""


def crear_motor(url: str, **opciones: Any) -> Engine:
    """Un `Engine` para `url`; en SQLite crea la carpeta, y cada transacción de escritura toma turno al empezar."""
    try:
        leida = make_url(url)
        if leida.get_backend_name() != "sqlite":
            return preparar_motor(create_engine(leida, pool_pre_ping=True, **opciones))
        if not leida.database or leida.database == ":memory:":
            raise URLBaseDatosInvalida(
                "SQLite en memoria no se comparte entre hilos: dé un archivo, como sqlite:///var/aeroalpes.db"
            )
        Path(leida.database).parent.mkdir(parents=True, exist_ok=True)
    except (ArgumentError, ValueError) as error:
        raise URLBaseDatosInvalida(f"La URL de la base de datos no se entiende: {sin_clave(url)!r}") from error
    except ModuleNotFoundError as error:
        raise URLBaseDatosInvalida(f"Para {sin_clave(url)!r} falta instalar {error.name}") from error
    except OSError as error:
        raise URLBaseDatosInvalida(f"No se puede crear la carpeta de {sin_clave(url)!r}: {error}") from error
    return preparar_motor(create_engine(leida, pool_size=20, max_overflow=20, **opciones))


def preparar_motor(motor: Engine) -> Engine:
    """Da a un motor, venga de donde venga, las costumbres de aquí; a uno que ya las tiene no le hace nada."""
    if motor.dialect.name == "postgresql":
        if not event.contains(motor, "begin", _entrar_en_schema):
            event.listen(motor, "begin", _entrar_en_schema)
    elif motor.dialect.name == "sqlite" and not event.contains(motor, "connect", preparar_sqlite):
        event.listen(motor, "connect", preparar_sqlite)
        turno = _Turno()
        event.listen(motor, "begin", turno.empezar)
        event.listen(motor, "checkin", turno.soltar)
    return motor


def de_lectura(motor: Engine) -> Engine:
    """El mismo motor, para transacciones que no pueden escribir."""
    return motor.execution_options(**{_SOLO_LECTURA: True, "postgresql_readonly": True})


def en_schema(motor: Engine, schema: str) -> Engine:
    """El mismo motor, y el mismo pool, para transacciones que sólo ven ese schema de PostgreSQL.

    `schema` es un identificador ya comprobado.
    """
    return motor.execution_options(**{_SCHEMA: schema})


def schema_de(motor: Engine) -> str | None:
    """El schema en que trabaja un motor; None si es el de la conexión."""
    schema: str | None = motor.get_execution_options().get(_SCHEMA)
    return schema


def es_ocupada(error: Exception) -> bool:
    """Si `error` es la base diciendo que otro la tiene tomada."""
    return isinstance(error, OperationalError) and "database is locked" in str(error.orig)


def es_conflicto(error: DBAPIError) -> bool:
    """Si PostgreSQL deshizo la transacción por otra que iba a la vez (interbloqueo o serialización)."""
    return getattr(error.orig, "sqlstate", None) in ("40001", "40P01")


def es_de_solo_lectura(error: DBAPIError) -> bool:
    """Si la base se negó a escribir porque la transacción es de sólo lectura."""
    sqlite_codigo = getattr(error.orig, "sqlite_errorcode", None)
    return sqlite_codigo == sqlite3.SQLITE_READONLY or getattr(error.orig, "sqlstate", None) == "25006"


def insertar_si_falta(
    sesion: Session, tabla: Table, fila: Mapping[str, Any], *unicas: str, opciones: Mapping[str, Any] | None = None
) -> bool:
    """Inserta la fila, o devuelve False si ya hay una con esas columnas `unicas`, sin estropear la transacción.

    `opciones` son las de ejecución de la sentencia.
    """
    insercion = _insercion_si_falta(sesion.get_bind().dialect.name, tabla, unicas)
    return sesion.execute(insercion, dict(fila), execution_options=opciones or {}).first() is not None


@lru_cache(maxsize=256)
def _insercion_si_falta(dialecto: str, tabla: Table, unicas: tuple[str, ...]) -> Any:
    """La sentencia, hecha una vez: hacerla cuesta a SQLAlchemy más que a la base ejecutarla."""
    insertar: Any = postgresql.insert if dialecto == "postgresql" else sqlite.insert
    return insertar(tabla).on_conflict_do_nothing(index_elements=unicas).returning(tabla.c[unicas[0]])


def _entrar_en_schema(conexion: Connection) -> None:
    opciones = conexion.get_execution_options()
    if (schema := opciones.get(_SCHEMA)) is not None and opciones.get("isolation_level") != "AUTOCOMMIT":
        # LOCAL: acaba con la transacción, y la conexión vuelve al pool como salió.
        conexion.exec_driver_sql(f'SET LOCAL search_path TO "{schema}"')


def preparar_sqlite(conexion: sqlite3.Connection, _registro: Any) -> None:
    """Al conectar: quién da el BEGIN, cuánto se espera a otros, y qué sobrevive a un corte."""
    conexion.isolation_level = None  # el BEGIN lo damos nosotros
    conexion.execute(f"PRAGMA busy_timeout = {ESPERA_BLOQUEO_MS}")
    if str(conexion.execute("PRAGMA journal_mode").fetchone()[0]).upper() != _DIARIO:
        conexion.execute(f"PRAGMA journal_mode = {_DIARIO}")
    conexion.execute("PRAGMA synchronous = FULL")
    conexion.execute("PRAGMA foreign_keys = ON")


ESCRIBEN_EN: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[str | None, Callable[[], bool]]] = (
    weakref.WeakKeyDictionary()
)
"""En cada event loop, el archivo SQLite que tomó una `AsyncSession` suya, y si sigue sin confirmar lo que escribe."""


def empezar_a_escribir(db: Any, archivo: str | None) -> None:
    """Toma el archivo; `BaseOcupada` si otros procesos no lo sueltan a tiempo, o `TransaccionAnidada` si lo tiene el
    event loop que estaría esperando.

    Una transacción que empieza leyendo y luego escribe falla al instante pese a busy_timeout, y por eso es IMMEDIATE.
    Se insiste aquí y no con busy_timeout, que duerme hasta 100 ms: quien escribe sin pausa no dejaría entrar a nadie.
    """
    limite = time.monotonic() + ESPERA_BLOQUEO_MS / 1000
    db.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                db.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                _exigir_que_no_espere_a_su_loop(archivo)
                if time.monotonic() >= limite:
                    raise BaseOcupada("La base de datos está ocupada; vuelva a intentarlo") from error
            time.sleep(random.uniform(0.0005, 0.003))  # noqa: S311 - separa a los que compiten
    finally:
        db.execute(f"PRAGMA busy_timeout = {ESPERA_BLOQUEO_MS}")


def _exigir_que_no_espere_a_su_loop(archivo: str | None) -> None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    suyo, escribe = ESCRIBEN_EN.get(loop, ("", bool))
    if suyo == archivo and escribe():
        raise TransaccionAnidada(
            "En este event loop una `AsyncSession` está escribiendo en la misma base, y una transacción síncrona lo"
            " pararía antes de que aquélla termine: use `await bus.ejecutar_async(...)`, un hilo o esa misma sesión"
        )


_vez_mia: ContextVar[object] = ContextVar("vez_mia", default=None)


class _Turno:
    """En SQLite escribe uno a la vez: dentro del proceso se espera aquí, en fila, y no sondeando el archivo."""

    def __init__(self) -> None:
        self._candado = threading.Lock()
        self._vez: object = None

    def empezar(self, conexion: Connection) -> None:
        solo_lectura = conexion.get_execution_options().get(_SOLO_LECTURA, False)
        if conexion.info.get("solo_lectura", False) != solo_lectura:
            conexion.exec_driver_sql(f"PRAGMA query_only = {solo_lectura:d}")
            conexion.info["solo_lectura"] = solo_lectura
        if solo_lectura and _DIARIO == "WAL":
            conexion.exec_driver_sql("BEGIN")  # en WAL se lee sin esperar a nadie
            return
        if not conexion.info.get("turno"):
            if self._vez is not None and _vez_mia.get() is self._vez:
                raise TransaccionAnidada(
                    "Aquí ya hay una transacción en curso: un handler no ejecuta otro comando o query con el bus;"
                    " pide un puerto o registra un evento"
                )
            limite = time.monotonic() + ESPERA_BLOQUEO_MS / 1000
            while not self._candado.acquire(timeout=_REPASO_S):
                # Quien tiene el turno puede estar esperando el archivo, y a éste quien escribe en nuestro event loop.
                _exigir_que_no_espere_a_su_loop(conexion.engine.url.database)
                if time.monotonic() >= limite:
                    raise BaseOcupada("La base de datos está ocupada; vuelva a intentarlo")
            conexion.info["turno"] = True
            self._vez = object()
            _vez_mia.set(self._vez)
        if solo_lectura:
            conexion.exec_driver_sql("BEGIN")
        else:
            empezar_a_escribir(conexion.connection.driver_connection, conexion.engine.url.database)

    def soltar(self, _conexion: Any, registro: Any) -> None:
        if registro.info.pop("turno", False):
            self._vez = None
            self._candado.release()
