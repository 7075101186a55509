"""`seedwork outbox` y `seedwork esquemas`, con una aplicación y un paquete de esquemas de verdad."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update
from tests.integracion.seedwork import banco
from tests.integracion.seedwork.bases import EN_AMBAS
from tests.integracion.seedwork.test_relay import dejar

from seedwork.infraestructura.mantenimiento import purgar
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.sistema import Sistema
from seedwork.infraestructura.tablas import outbox, outbox_carriles
from seedwork.presentacion.cli import seedwork

_DIA_MS = 24 * 3600 * 1000
Mandar = Callable[..., Result]


@pytest.fixture
def mandar(bus: Sistema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mandar:
    """Corre el mandato sobre la aplicación del banco."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(banco, "aplicacion", lambda: banco.armar(tmp_path), raising=False)

    def mandar(*argumentos: str) -> Result:
        app = "tests.integracion.seedwork.banco:aplicacion"
        return CliRunner().invoke(seedwork, ["--app", app, *argumentos], catch_exceptions=False)

    return mandar


@EN_AMBAS
def test_estado_dice_que_espera_que_no_puede_salir_y_quien_lleva_cada_carril(bus: Sistema, mandar: Mandar) -> None:
    assert bus.motor is not None
    dejar(bus, ("m1", "a"), ("malo", "b"), ("m2", "a"), ("viejo", "c"))
    with bus.motor.begin() as conexion:
        conexion.execute(update(outbox).where(outbox.c.id == "malo").values(motivo="no cabe"))
        conexion.execute(update(outbox).where(outbox.c.id == "viejo").values(publicado_ms=ahora_ms()))
        conexion.execute(update(outbox).where(outbox.c.id == "m1").values(creado_ms=ahora_ms() - 5000))
        conexion.execute(
            update(outbox_carriles)
            .where(outbox_carriles.c.carril < 2)
            .values(dueno="uno", vence_ms=ahora_ms() + 60_000)
        )
    estado = json.loads(mandar("outbox", "estado", "--json").stdout)
    assert (estado["pendientes"], estado["publicados"]) == (2, 1)
    assert 5000 <= estado["atraso_ms"] < 60_000
    assert estado["estacionados"] == [{"id": "malo", "topico": "t", "clave": "b", "motivo": "no cabe"}]
    assert estado["relays"]["uno"] == [0, 1]
    texto = mandar("outbox", "estado").stdout
    assert "Pendientes    2" in texto
    assert "no cabe" in texto


@EN_AMBAS
def test_purgar_borra_lo_publicado_hace_tiempo_y_nada_mas(bus: Sistema, mandar: Mandar) -> None:
    assert bus.motor is not None
    dejar(bus, *[(f"m{i}", None) for i in range(1200)])
    with bus.motor.begin() as conexion:
        viejas = outbox.c.secuencia <= 1100
        conexion.execute(update(outbox).where(viejas).values(publicado_ms=ahora_ms() - 2 * _DIA_MS))
        conexion.execute(update(outbox).where(outbox.c.id == "m0").values(publicado_ms=ahora_ms() - _DIA_MS // 2))
    avance = list(purgar(bus.motor, antiguedad_s=3 * 24 * 3600))
    assert avance == [(0, 0)]
    assert mandar("outbox", "purgar").stdout == "1099 borrados\n"
    assert mandar("outbox", "purgar", "--dias", "0.25").stdout == "1 borrados\n"
    assert [fila.id for fila in banco.filas_outbox(bus)] == [f"m{i}" for i in range(1100, 1200)]


def test_purgar_deja_escribir_entre_un_lote_y_el_siguiente(bus: Sistema) -> None:
    assert bus.motor is not None
    dejar(bus, *[(f"m{i}", None) for i in range(1200)])
    with bus.motor.begin() as conexion:
        conexion.execute(update(outbox).values(publicado_ms=1))
    for vuelta, _ in enumerate(purgar(bus.motor, antiguedad_s=0)):
        dejar(bus, (f"nuevo{vuelta}", None))
    assert [fila.id for fila in banco.filas_outbox(bus)] == [f"nuevo{i}" for i in range(4)]


def test_sin_base_de_datos_no_hay_outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sin_base.py").write_text("from seedwork import Mensajeria\nm = Mensajeria('embebido://')\n", "utf-8")
    resultado = CliRunner().invoke(seedwork, ["--app", "sin_base:m", "outbox", "estado"])
    assert resultado.exit_code == 2
    assert "no hay outbox" in resultado.output


def test_esquemas_publica_verifica_y_falla_con_la_regla_rota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carpeta = tmp_path / "almacen" / "schema" / "v1"
    carpeta.mkdir(parents=True)
    for paquete in (tmp_path / "almacen", carpeta.parent, carpeta):
        (paquete / "__init__.py").touch()
    texto = (
        "from dataclasses import dataclass\n"
        "from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Eventos(EventoIntegracion):\n"
        "    total: int = 0\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def mandar(*argumentos: str) -> Result:
        for nombre in [nombre for nombre in sys.modules if nombre.partition(".")[0] == "almacen"]:
            del sys.modules[nombre]
        return CliRunner().invoke(seedwork, ["esquemas", *argumentos])

    (carpeta / "eventos.py").write_text(texto, "utf-8")
    sin_publicar = mandar("verificar", "almacen")
    assert sin_publicar.exit_code == 1
    assert "todo esquema se publica" in sin_publicar.stdout
    publicado = mandar("publicar", "almacen")
    assert (publicado.exit_code, publicado.stdout) == (0, "almacen/schema/v1/Eventos.avsc\n")
    assert mandar("verificar", "almacen").exit_code == 0
    (carpeta / "eventos.py").write_text(texto.replace("int = 0", "str = ''"), "utf-8")
    roto = mandar("verificar", "almacen", "--json")
    assert roto.exit_code == 1
    assert "type_mismatch en Eventos.total" in json.dumps(json.loads(roto.stdout), ensure_ascii=False)
    assert mandar("publicar", "almacen").exit_code == 1
    assert mandar("verificar", "noexiste").exit_code == 2
    assert mandar("verificar", "seedwork.dominio").exit_code == 2
