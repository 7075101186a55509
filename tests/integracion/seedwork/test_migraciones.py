"""Las migraciones: las aplica uno, una base más nueva se rechaza, y dejan lo que el código usa."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text
from tests.integracion.seedwork.conftest import Procesos

from seedwork.infraestructura.base_datos import crear_motor
from seedwork.infraestructura.migraciones import SEEDWORK, BaseMasNueva, Migraciones, migrar
from seedwork.infraestructura.tablas import metadatos

_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {anterior!r}


def upgrade() -> None:
    op.create_table("{tabla}", sa.Column("id", sa.Integer, primary_key=True))
    {despues}
"""


def _revision(carpeta: Path, numero: int, despues: str = "") -> Migraciones:
    (carpeta / "versions").mkdir(parents=True, exist_ok=True)
    (carpeta / "versions" / f"{numero:04}.py").write_text(
        _REVISION.format(
            revision=f"prueba_{numero:04}",
            anterior=f"prueba_{numero - 1:04}" if numero > 1 else None,
            tabla=f"prueba_{numero}",
            despues=despues,
        )
    )
    return Migraciones("prueba", carpeta)


# SQLAlchemy no sabe leer de vuelta un índice sobre una expresión; los índices se preguntan aparte.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_lo_migrado_es_lo_que_el_codigo_usa(tmp_path: Path) -> None:
    motor = crear_motor(f"sqlite:///{tmp_path}/b.db")
    migrar(motor, SEEDWORK)
    with motor.connect() as conexion:
        contexto = MigrationContext.configure(conexion, opts={"compare_type": True})
        # los índices los crea la migración, y sólo ella
        diferencias = [
            diferencia
            for diferencia in compare_metadata(contexto, metadatos)
            if not (diferencia[0] == "remove_index" or diferencia[1].name == "version_seedwork")
        ]
        indices = set(conexion.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'index'").scalars())
    assert diferencias == []
    assert indices >= {"outbox_pendientes", "outbox_estacionados", "outbox_publicados"}
    motor.dispose()


def test_migrar_otra_vez_no_hace_nada_y_un_componente_nuevo_se_suma(tmp_path: Path) -> None:
    motor = crear_motor(f"sqlite:///{tmp_path}/b.db")
    for componentes in ([SEEDWORK], [SEEDWORK], [SEEDWORK, _revision(tmp_path / "m", 1)]):
        migrar(motor, *componentes)
    migrar(motor, _revision(tmp_path / "m", 2))
    assert set(inspect(motor).get_table_names()) >= {"outbox", "inbox", "prueba_1", "prueba_2", "version_prueba"}
    motor.dispose()


def test_una_base_mas_nueva_que_el_codigo_se_rechaza_con_una_frase_y_sin_tocarla(tmp_path: Path) -> None:
    motor = crear_motor(f"sqlite:///{tmp_path}/b.db")
    nuevo = _revision(tmp_path / "nuevo", 1)
    _revision(tmp_path / "nuevo", 2)
    viejo = _revision(tmp_path / "viejo", 1)
    migrar(motor, nuevo)
    with pytest.raises(BaseMasNueva, match="está en la revisión prueba_0002 de prueba, que este código no conoce"):
        migrar(motor, SEEDWORK, viejo)
    assert "outbox" not in inspect(motor).get_table_names()
    motor.dispose()


def test_una_migracion_que_falla_no_deja_nada_a_medias(tmp_path: Path) -> None:
    motor = crear_motor(f"sqlite:///{tmp_path}/b.db")
    with pytest.raises(ZeroDivisionError):
        migrar(motor, SEEDWORK, _revision(tmp_path / "m", 1, "1 / 0"))
    assert set(inspect(motor).get_table_names()) == set()
    shutil.rmtree(tmp_path / "m")
    migrar(motor, SEEDWORK, _revision(tmp_path / "m", 1))
    assert "prueba_1" in inspect(motor).get_table_names()
    motor.dispose()


def test_varios_procesos_que_arrancan_a_la_vez_sobre_una_base_vacia_migran_una_vez(
    tmp_path: Path, procesos: Procesos
) -> None:
    todos = [procesos.lanzar("migrar", tmp_path) for _ in range(4)]
    for proceso in todos:
        assert proceso.stdin is not None
        proceso.stdin.write("ya\n")
        proceso.stdin.flush()
    for proceso in todos:
        proceso.communicate(timeout=60)
    assert [proceso.returncode for proceso in todos] == [0] * 4
    motor = crear_motor(f"sqlite:///{tmp_path}/banco.db")
    with motor.connect() as conexion:
        assert conexion.execute(text("SELECT count(*) FROM version_seedwork")).scalar_one() == 1
        assert conexion.execute(text("SELECT count(*) FROM outbox_carriles")).scalar_one() == 16
    motor.dispose()
