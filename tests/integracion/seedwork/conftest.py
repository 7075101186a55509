from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integracion.seedwork.banco import BASE, armar
from tests.integracion.seedwork.bases import base_nueva

from seedwork.infraestructura.sistema import Sistema

RAIZ = Path(__file__).parents[3]


@pytest.fixture
def base(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """La base del banco, también para los procesos que lance la prueba; SQLite si ésta no dice otra."""
    with base_nueva(getattr(request, "param", "sqlite"), tmp_path) as url:
        monkeypatch.setenv(BASE, url)
        yield url


@pytest.fixture
def bus(base: str, tmp_path: Path) -> Iterator[Sistema]:
    sistema = armar(tmp_path)
    yield sistema
    sistema.cerrar()


class Procesos:
    """Lanza `tests.integracion.seedwork.proceso` en procesos de verdad, y no deja ninguno."""

    def __init__(self) -> None:
        self.vivos: list[subprocess.Popen[str]] = []

    def lanzar(self, que: str, carpeta: Path, *argumentos: object) -> subprocess.Popen[str]:
        proceso = subprocess.Popen(
            [sys.executable, "-m", "tests.integracion.seedwork.proceso", que, str(carpeta), *map(str, argumentos)],
            cwd=RAIZ,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(RAIZ / "src"), str(RAIZ)])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.vivos.append(proceso)
        return proceso

    def cerrar(self) -> None:
        for proceso in self.vivos:
            proceso.kill()
            proceso.communicate()


@pytest.fixture
def procesos() -> Iterator[Procesos]:
    procesos = Procesos()
    yield procesos
    procesos.cerrar()
