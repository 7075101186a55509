"""Copias vacías de las tablas de una proyección, que sólo ve una conexión y mueren con ella."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from sqlalchemy import Connection, Engine, Table, event, text
from sqlalchemy.orm import Session
from sqlalchemy.schema import sort_tables

from seedwork.infraestructura.base_datos import empezar_a_escribir

_ESCRIBE = "seedwork_escribe"


class Sombra:
    """Tablas temporales con el nombre de las vivas: en su conexión, quien nombra una tabla encuentra la sombra.

    Así la función de la proyección no distingue si alimenta la viva o su sombra, y por la sombra no alcanza la viva ni
    queriendo. En SQLite, además, llenarla no toma el archivo: los demás siguen escribiendo.
    """

    def __init__(self, motor: Engine, tablas: Sequence[Table]) -> None:
        self._tablas = sort_tables(tablas)
        self._postgres = motor.dialect.name == "postgresql"
        self._citar = motor.dialect.identifier_preparer.quote
        self._camino: Sequence[str] = ()
        self._vivas: dict[str, str] = {}
        # El mismo controlador y las mismas opciones, y ninguna de sus conexiones: ni espera turno ni lo hace esperar.
        self._motor = Engine(motor.pool.recreate(), motor.dialect, motor.url)
        event.listen(self._motor, "begin", self._al_empezar)
        with motor.connect() as conexion:
            self._mirar(conexion)

    def __enter__(self) -> Self:
        self._conexion = self._motor.connect()
        try:
            if not self._postgres:  # una sombra no tiene a quién referirse: en PostgreSQL nace sin llaves foráneas
                self._conexion.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")  # type: ignore[union-attr]
            with self._conexion.begin():
                for tabla in self._tablas:
                    self._crear(tabla.name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._conexion.invalidate()  # no vuelve a ningún pool: con ella se van las tablas
        self._conexion.close()
        self._motor.dispose()

    @contextmanager
    def transaccion(self, *, escribe: bool = False) -> Iterator[Session]:
        """Una transacción en su conexión, que se confirma al salir bien; con `escribe`, también en las tablas vivas."""
        self._conexion.execution_options(**{_ESCRIBE: escribe})
        with Session(self._conexion, autoflush=False, expire_on_commit=False) as sesion, sesion.begin():
            yield sesion

    def sustituir(self, sesion: Session) -> None:
        """Pone en las vivas lo que hay en las sombras, en la transacción en curso: se lee lo de antes o lo nuevo."""
        temporal = "pg_temp" if self._postgres else "temp"
        for tabla in reversed(self._tablas):
            sesion.execute(text(f"DELETE FROM {self._viva(tabla.name)}"))  # noqa: S608 - nombres declarados y citados
        for tabla in self._tablas:
            columnas = ", ".join(self._citar(columna.name) for columna in tabla.columns if columna.computed is None)
            origen = f"{temporal}.{self._citar(tabla.name)}"
            sesion.execute(text(f"INSERT INTO {self._viva(tabla.name)} ({columnas}) SELECT {columnas} FROM {origen}"))  # noqa: S608

    def _mirar(self, conexion: Connection) -> None:
        """Dónde están las tablas vivas, visto desde una conexión corriente."""
        for tabla in self._tablas:
            if not self._postgres:
                self._vivas[tabla.name] = "main"
                continue
            donde = text("SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = CAST(:t AS regclass)")
            self._vivas[tabla.name] = conexion.execute(donde, {"t": self._citar(tabla.name)}).scalar_one()
        if self._postgres:
            self._camino = conexion.execute(text("SELECT current_schemas(false)")).scalar_one()

    def _crear(self, nombre: str) -> None:
        ejecutar = self._conexion.exec_driver_sql
        if self._postgres:
            ejecutar(f"CREATE TEMPORARY TABLE {self._citar(nombre)} (LIKE {self._viva(nombre)} INCLUDING ALL)")
            return
        suyas = (
            "SELECT sql FROM main.sqlite_master WHERE tbl_name = ? AND type IN ('table', 'index') AND sql IS NOT NULL"
        )
        for (sql,) in ejecutar(f"{suyas} ORDER BY type DESC", (nombre,)).all():
            # SQLite guarda siempre así el principio de estas sentencias.
            temporal = re.sub(r"^CREATE TABLE ", "CREATE TEMPORARY TABLE ", sql)
            ejecutar(re.sub(r"^CREATE (UNIQUE )?INDEX ", r"CREATE \1INDEX temp.", temporal))

    def _viva(self, nombre: str) -> str:
        return f"{self._vivas[nombre]}.{self._citar(nombre)}"

    def _al_empezar(self, conexion: Connection) -> None:
        if self._postgres:
            # Dicho, y no sólo por costumbre: alguien pudo dejar las temporales al final de su search_path.
            camino = ", ".join(["pg_temp", *(self._citar(schema) for schema in self._camino)])
            conexion.exec_driver_sql(f"SET LOCAL search_path TO {camino}")
        elif conexion.get_execution_options().get(_ESCRIBE):
            empezar_a_escribir(conexion.connection.driver_connection, conexion.engine.url.database)
        else:
            conexion.exec_driver_sql("BEGIN")
