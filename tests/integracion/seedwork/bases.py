"""Bases de datos de una prueba: un archivo SQLite o una base recién creada en PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url
from tests.contratos.exigidos import urls_de

EN_AMBAS = pytest.mark.parametrize("base", ["sqlite", "postgres"], indirect=True)
"""Corre la prueba sobre SQLite y sobre PostgreSQL: la marca decide en qué base está `bus`."""


@contextmanager
def base_nueva(cual: str, carpeta: Path) -> Iterator[str]:
    """La URL de una base vacía, que se borra al salir."""
    if cual == "sqlite":
        yield f"sqlite:///{carpeta}/banco.db"
        return
    (url,) = urls_de("postgres", "TEST_POSTGRES_URL")
    nombre = f"prueba_{uuid4().hex}"
    administrador = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with administrador.connect() as conexion:
            conexion.exec_driver_sql(f"CREATE DATABASE {nombre}")
        try:
            yield make_url(url).set(database=nombre).render_as_string(hide_password=False)
        finally:
            with administrador.connect() as conexion:
                conexion.exec_driver_sql(f"DROP DATABASE {nombre} WITH (FORCE)")
    finally:
        administrador.dispose()
