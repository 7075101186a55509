"""En nombre de quién y en qué schema trabaja cada transacción, y que ese schema esté listo antes de la primera."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, MetaData, text

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.base_datos import de_lectura, en_schema
from seedwork.infraestructura.migraciones import CANDADO, Migraciones, esta_al_dia, migrar

Actual = Callable[[], Any] | object | None
"""Un valor para todas las transacciones, o una función que lo dice al empezar cada una."""

_IDENTIFICADOR = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class SchemaInvalido(ErrorDeArranque):
    """El nombre del schema no es un identificador que se pueda usar."""


class SchemaInexistente(ErrorDeArranque):
    """El schema no existe y no se pidió crearlo."""


class SinInquilino(RuntimeError):
    """Hay un schema por inquilino y nadie dijo el de esta transacción."""


class BaseSinMigrar(ErrorDeArranque):
    """La base está por migrar y este sistema sólo puede leer."""


@dataclass(frozen=True)
class EnNombreDe:
    """Lo que se impone a las transacciones de un bloque."""

    usuario: object | None
    schema: str | None


_impuesto: ContextVar[EnNombreDe | None] = ContextVar("en_nombre_de", default=None)


@contextmanager
def en_nombre_de(*, usuario: object | None = None, schema: str | None = None) -> Iterator[None]:
    """Dentro del bloque, las transacciones son de ese usuario y, donde hay un schema por inquilino, de ese schema.

    Gana a lo que `bootstrap` diga; lo que sea None queda como estaba. Sirve a lo que no atiende una petición: un
    consumidor, una tarea, un guion.
    """
    previo = _impuesto.get() or EnNombreDe(None, None)
    nuevo = EnNombreDe(usuario if usuario is not None else previo.usuario, schema or previo.schema)
    ficha = _impuesto.set(nuevo)
    try:
        yield
    finally:
        _impuesto.reset(ficha)


def usuario_de(usuario: Actual) -> object | None:
    """El usuario de la transacción que empieza."""
    impuesto = _impuesto.get()
    if impuesto is not None and impuesto.usuario is not None:
        return impuesto.usuario
    return usuario() if callable(usuario) else usuario


def exigir_identificador(schema: object) -> str:
    """El nombre, si se puede usar sin peligro en una sentencia; si no, `SchemaInvalido`."""
    if not isinstance(schema, str) or not _IDENTIFICADOR.fullmatch(schema) or schema.startswith("pg_"):
        raise SchemaInvalido(
            f"{schema!r} no sirve como schema: minúsculas, cifras y _, hasta 63, sin empezar por cifra ni por pg_"
        )
    return schema


@dataclass(frozen=True, kw_only=True)
class Estructura:
    """Lo que cada schema ha de tener: migraciones, y las tablas de `base` que ninguna migración lleva."""

    migraciones: tuple[Migraciones, ...]
    base: MetaData | None
    crear_schema: bool
    solo_lectura: bool

    def preparar(self, motor: Engine, schema: str | None) -> None:
        """Deja al día la base o un schema suyo; si otro proceso lo está haciendo, lo espera."""
        if schema is not None:
            self._exigir_schema(motor, schema)
            motor = en_schema(motor, schema)
        if self.solo_lectura:
            if not esta_al_dia(motor, *self.migraciones):
                raise BaseSinMigrar("La base de datos está por migrar y este sistema es de sólo lectura")
            return
        migrar(motor, *self.migraciones)
        if self.base is not None:
            with motor.begin() as conexion:
                if motor.dialect.name == "postgresql":
                    conexion.execute(text("SELECT pg_advisory_xact_lock(:candado)"), {"candado": CANDADO})
                self.base.create_all(conexion)

    def _exigir_schema(self, motor: Engine, schema: str) -> None:
        existe = text("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = :schema")
        with de_lectura(motor).connect() as conexion:
            if conexion.execute(existe, {"schema": schema}).first() is not None:
                return
        if not self.crear_schema:
            raise SchemaInexistente(f"No existe el schema {schema!r}: créelo, o dé `crear_schema=True` a bootstrap")
        with motor.begin() as conexion:
            conexion.execute(text("SELECT pg_advisory_xact_lock(:candado)"), {"candado": CANDADO})
            conexion.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')


class Inquilinos:
    """Da a cada transacción el motor de su schema.

    Con un schema fijo, o ninguno, todo vive en él. Con uno por transacción, el outbox vive en el de la conexión, que es
    `comun`, y lo demás en el del inquilino, que se prepara la primera vez que este proceso lo ve.
    """

    def __init__(self, motor: Engine, schema: Actual, estructura: Estructura) -> None:
        """Prepara la base; `ErrorDeArranque` si no se puede."""
        if schema is not None and motor.dialect.name != "postgresql":
            raise ErrorDeArranque("Los schemas son de PostgreSQL: en SQLite, use un archivo por inquilino")
        self._motor = motor
        self._estructura = estructura
        self._cual = schema if callable(schema) else None
        self._listos: dict[str, Engine] = {}
        self._candado = threading.Lock()
        fijo = None if schema is None or self._cual is not None else exigir_identificador(schema)
        self.fijo = fijo
        self.comun = motor if fijo is None else en_schema(motor, fijo)
        estructura.preparar(motor, fijo)
        self.schema_comun = None if self._cual is None else _schema_de_la_conexion(motor)
        """Dónde está el outbox, si no es donde lo demás."""

    @property
    def por_transaccion(self) -> bool:
        """Si cada transacción dice su schema."""
        return self._cual is not None

    def schema(self) -> str | None:
        """El schema de la transacción que empieza; `SinInquilino` si había que decirlo y nadie lo dijo."""
        if self._cual is None:
            return self.fijo
        impuesto = _impuesto.get()
        schema = impuesto.schema if impuesto is not None and impuesto.schema is not None else self._cual()
        if schema is None:
            raise SinInquilino("Nadie dijo de qué inquilino es esta transacción: vea `schema` de bootstrap")
        return exigir_identificador(schema)

    def motor_de(self, schema: str | None) -> Engine:
        """El motor de un schema, que al volver está listo para usarse."""
        if schema is None or schema == self.fijo:
            return self.comun
        listo = self._listos.get(schema)
        if listo is None:
            with self._candado:
                if schema not in self._listos:
                    self._estructura.preparar(self._motor, schema)
                    self._listos[schema] = en_schema(self._motor, schema)
                listo = self._listos[schema]
        return listo


def _schema_de_la_conexion(motor: Engine) -> str:
    with de_lectura(motor).connect() as conexion:
        return str(conexion.execute(text("SELECT current_schema()")).scalar_one())
