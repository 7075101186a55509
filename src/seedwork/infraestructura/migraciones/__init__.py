"""Las migraciones: cada componente lleva las suyas, con Alembic, y se aplican al arrancar bajo un candado."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.base_datos import de_lectura

CANDADO = 0x5EED  # el del advisory lock de PostgreSQL


class BaseMasNueva(ErrorDeArranque):
    """La base está en una revisión que este código no conoce."""


@dataclass(frozen=True)
class Migraciones:
    """Las revisiones de un componente; `carpeta` contiene `versions/`."""

    componente: str
    carpeta: Path

    @property
    def tabla(self) -> str:
        return f"version_{self.componente}"


SEEDWORK = Migraciones("seedwork", Path(__file__).parent)


def migrar(motor: Engine, *componentes: Migraciones) -> None:
    """Lleva cada componente a su última revisión; si arrancan varios procesos, lo hace uno y los demás esperan.

    Lanza `BaseMasNueva` si la base va por delante del código.
    """
    if esta_al_dia(motor, *componentes):
        return
    with motor.begin() as conexion:
        if motor.dialect.name == "postgresql":
            conexion.execute(text("SELECT pg_advisory_xact_lock(:candado)"), {"candado": CANDADO})
        for componente in componentes:
            if not _al_dia(conexion, componente):  # otra vez: quien tenía el candado pudo haberlo subido ya
                _subir(conexion, componente)


def esta_al_dia(motor: Engine, *componentes: Migraciones) -> bool:
    """Si cada componente está en su última revisión; `BaseMasNueva` si alguno va por delante."""
    with de_lectura(motor).connect() as conexion:
        return all(_al_dia(conexion, componente) for componente in componentes)


def _al_dia(conexion: Connection, componente: Migraciones) -> bool:
    contexto = MigrationContext.configure(conexion, opts={"version_table": componente.tabla})
    guion = _guion(componente)
    actual = contexto.get_current_revision()
    if actual is not None and actual not in {revision.revision for revision in guion.walk_revisions()}:
        raise BaseMasNueva(
            f"La base de datos está en la revisión {actual} de {componente.componente}, que este código no conoce:"
            " actualice el código o use otra base"
        )
    return actual == guion.get_current_head()


def _subir(conexion: Connection, componente: Migraciones) -> None:
    guion = _guion(componente)

    def revisiones(actual: Any, _contexto: Any) -> Any:
        return guion._upgrade_revs("head", actual)  # lo que hace `alembic upgrade head`, sin su env.py

    with EnvironmentContext(Config(), guion, fn=revisiones) as entorno:
        entorno.configure(connection=conexion, version_table=componente.tabla)
        entorno.run_migrations()


def _guion(componente: Migraciones) -> ScriptDirectory:
    return ScriptDirectory(str(componente.carpeta), version_locations=[str(componente.carpeta / "versions")])
