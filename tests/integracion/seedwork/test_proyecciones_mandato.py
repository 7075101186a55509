"""`seedwork proyeccion`: lo que escribe, con qué sale, y la reconstrucción muerta con kill -9."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update
from tests.e2e.terminal import en_terminal
from tests.integracion.seedwork import movimientos
from tests.integracion.seedwork.bases import EN_AMBAS
from tests.integracion.seedwork.movimientos import Vivas, al_aplicar, armar, mensaje, saldos
from tests.procesos import RAIZ, hasta

from seedwork.infraestructura.base_datos import crear_motor, en_schema
from seedwork.infraestructura.inquilinos import en_nombre_de
from seedwork.infraestructura.proyecciones.reconstruccion import reconstruir
from seedwork.presentacion.cli import seedwork

APP = "tests.integracion.seedwork.movimientos:armar"
PLAZO_S = 30.0
Mandar = Callable[..., Result]


@pytest.fixture
def vivas(base: str) -> Iterator[Vivas]:
    """Con cinco movimientos contados, y la viva cambiada a mano para que se note cuándo se sustituye."""
    vivas = Vivas(armar(base))
    asyncio.run(vivas.alimentar("saldos", *[mensaje("a", n, id=f"m{n}") for n in range(5)]))
    assert vivas.sistema.motor is not None
    with vivas.sistema.motor.begin() as conexion:
        conexion.execute(update(saldos).values(saldo=99))
    yield vivas
    al_aplicar.clear()
    vivas.cerrar()
    vivas.sistema.cerrar()


def mandar(*argumentos: str, app: str = APP) -> Result:
    return CliRunner().invoke(seedwork, ["--app", app, "proyeccion", *argumentos], catch_exceptions=False)


def saldo(vivas: Vivas) -> int:
    ((_, valor, _),) = vivas.modelo()["saldos"]
    return int(valor)


ENTORNO = {"PYTHONPATH": f"{RAIZ / 'src'}:{RAIZ}", "SEEDWORK_APP": APP}


def orden(donde: str, *argumentos: str) -> list[str]:
    return [sys.executable, "-m", "tests.integracion.seedwork.proyecciones_proceso", donde, "proyeccion", *argumentos]


@EN_AMBAS
def test_listar_dice_como_va_cada_una(vivas: Vivas) -> None:
    leidas = {leida["nombre"]: leida for leida in json.loads(mandar("listar", "--json").stdout)}
    assert leidas["saldos"]["tablas"] == ["saldos"]
    assert (leidas["saldos"]["aplicados"], leidas["saldos"]["pendientes"]) == (5, 0)
    assert leidas["saldos"]["ultimo_ms"] is not None
    assert leidas["importes"] == {
        "nombre": "importes",
        "tablas": ["conteo", "grandes"],
        "topicos": ["movimientos"],
        "suscripcion": "m.importes",
        "aplicados": 0,
        "pendientes": 5,
        "ultimo_ms": None,
        "reconstruida_ms": None,
        "reconstruyendo": None,
    }
    assert vivas.sistema.inquilinos is not None
    en_curso = reconstruir(vivas.sistema.inquilinos, vivas.proyecciones["saldos"])
    next(en_curso)
    texto = mandar("listar").stdout
    assert "ahora: 0%" in texto
    assert "nunca" in texto
    en_curso.close()  # type: ignore[attr-defined]


@EN_AMBAS
def test_reconstruir_dice_cuantos_aplico(vivas: Vivas) -> None:
    hecho = mandar("reconstruir", "saldos")
    assert (hecho.exit_code, hecho.stdout) == (0, "saldos: 5 eventos aplicados\n")
    assert saldo(vivas) == 10
    assert json.loads(mandar("reconstruir", "importes", "--json").stdout) == {"nombre": "importes", "aplicados": 5}


def test_mal_usado_sale_con_2_y_dice_por_que(vivas: Vivas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desconocida = mandar("reconstruir", "sueldos")
    assert (desconocida.exit_code, "hay: saldos, importes" in desconocida.output) == (2, True)
    ajeno = mandar("listar", "--inquilino", "ana")
    assert (ajeno.exit_code, "no tiene un schema por inquilino" in ajeno.output) == (2, True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sin_base.py").write_text("from seedwork import Mensajeria\nm = Mensajeria('embebido://')\n", "utf-8")
    assert mandar("listar", app="sin_base:m").exit_code == 2


def test_dos_a_la_vez_la_segunda_lo_dice_y_sale_con_1(vivas: Vivas) -> None:
    assert vivas.sistema.inquilinos is not None
    primera = reconstruir(vivas.sistema.inquilinos, vivas.proyecciones["saldos"])
    next(primera)
    segunda = mandar("reconstruir", "saldos")
    assert segunda.exit_code == 1
    assert "ya se está reconstruyendo; si quien lo hacía murió, su turno vence en" in segunda.output
    list(primera)
    assert mandar("reconstruir", "saldos").exit_code == 0


def test_si_no_se_puede_sale_con_1_y_dice_que_hacer(vivas: Vivas) -> None:
    def fallar(movimiento: Any, _sesion: Any) -> None:
        if movimiento.importe == 3:
            raise RuntimeError("treses no")

    al_aplicar.append(fallar)
    hecho = mandar("reconstruir", "saldos")
    assert hecho.exit_code == 1
    assert "El mensaje m3 de movimientos" in hecho.output
    assert "--omitir ID" in hecho.output
    assert saldo(vivas) == 99
    assert mandar("reconstruir", "saldos", "--omitir", "m3").exit_code == 0
    assert saldo(vivas) == 7


@pytest.mark.capacidad("X06")
@EN_AMBAS
@pytest.mark.parametrize("donde", ["a_mitad", "al_sustituir"])
def test_muerta_a_mitad_deja_la_viva_como_estaba_y_se_vuelve_a_empezar(vivas: Vivas, donde: str) -> None:
    muerta = subprocess.run(
        orden(donde, "reconstruir", "saldos"), cwd=RAIZ, env={**os.environ, **ENTORNO}, check=False, timeout=60
    )
    assert muerta.returncode == -signal.SIGKILL
    assert saldo(vivas) == 99
    asyncio.run(vivas.alimentar("saldos", mensaje("a", 100)))
    assert saldo(vivas) == 199
    hasta(lambda: mandar("reconstruir", "saldos").exit_code == 0, "venciera el turno del muerto", PLAZO_S)
    assert saldo(vivas) == 110


def test_en_un_terminal_se_ve_la_barra(vivas: Vivas) -> None:
    with en_terminal(orden("despacio", "reconstruir", "saldos"), {**ENTORNO, "TERM": "xterm"}, RAIZ) as terminal:
        terminal.esperar_texto("Reconstruyendo saldos", PLAZO_S)
        terminal.esperar_texto("5/5", PLAZO_S)
        assert terminal.codigo(PLAZO_S) == 0
        assert "100%" in terminal.texto
    assert saldo(vivas) == 10


@pytest.mark.parametrize("base", ["postgres"], indirect=True)
def test_con_un_schema_por_inquilino_se_reconstruye_el_de_uno(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def por_inquilino() -> Any:
        return armar(base, schema=lambda: None, crear_schema=True, base=movimientos.metadatos)

    monkeypatch.setattr(movimientos, "por_inquilino", por_inquilino, raising=False)
    vivas = Vivas(por_inquilino())
    motor = crear_motor(base)
    for inquilino in ("ana", "eva"):
        with en_nombre_de(schema=inquilino):
            asyncio.run(vivas.alimentar("saldos", mensaje("a", 1, id="m1"), mensaje("a", 2, id="m2")))
        with en_schema(motor, inquilino).begin() as conexion:
            conexion.execute(update(saldos).values(saldo=99))
    app = "tests.integracion.seedwork.movimientos:por_inquilino"
    assert "Diga de qué inquilino" in mandar("reconstruir", "saldos", app=app).output
    assert mandar("reconstruir", "saldos", "--inquilino", "ana", app=app).exit_code == 0
    leidos = {}
    for inquilino in ("ana", "eva"):
        with en_schema(motor, inquilino).connect() as conexion:
            leidos[inquilino] = conexion.execute(saldos.select()).one().saldo
    assert leidos == {"ana": 3, "eva": 99}
    motor.dispose()
    vivas.cerrar()
    vivas.sistema.cerrar()
