"""Plugin de pytest: al final de cada corrida dice qué filas de docs/capacidades.tsv quedaron demostradas.

Una fila queda demostrada si corrió alguna prueba marcada con su id y pasaron todas las que corrieron. Una
prueba que falla en cualquier fase (preparar, probar, recoger) la da por fallida; una saltada no demuestra nada.
Un id que no está en la tabla, o una tabla ilegible, detiene la corrida antes de empezar.
"""

import csv
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

TABLA = Path("docs/capacidades.tsv")
_PROPIEDAD = "capacidades"


class Capacidades:
    """Lo que esta corrida sabe de cada fila."""

    def __init__(self, filas: list[str]) -> None:
        self.filas = filas
        self._resultados: defaultdict[str, set[str]] = defaultdict(set)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            ids = tuple(itertools.chain.from_iterable(marca.args for marca in item.iter_markers("capacidad")))
            sin_id = any(not marca.args for marca in item.iter_markers("capacidad"))
            ajenos = [str(id_fila) for id_fila in ids if id_fila not in self.filas]
            if sin_id or ajenos:
                raise pytest.UsageError(f"{item.nodeid}: capacidad {', '.join(ajenos) or 'sin id'} no está en {TABLA}")
            item.user_properties.append((_PROPIEDAD, ids))  # viajan con el resultado, también desde otro proceso

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed or (report.when == "call" and report.passed):
            for id_fila in dict(report.user_properties).get(_PROPIEDAD, ()):
                self._resultados[id_fila].add(report.outcome)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        fallidas = [fila for fila in self.filas if "failed" in self._resultados[fila]]
        demostradas = [fila for fila in self.filas if self._resultados[fila] == {"passed"}]
        pendientes = [fila for fila in self.filas if not self._resultados[fila]]
        terminalreporter.section("capacidades")
        for titulo, filas in (("demostradas", demostradas), ("fallidas", fallidas), ("sin prueba", pendientes)):
            if filas:
                terminalreporter.write_line(f"{titulo:<11} {len(filas):>3}: {agrupa(filas)}")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "capacidad(id): la prueba demuestra la fila `id` de docs/capacidades.tsv")
    config.pluginmanager.register(Capacidades(lee_filas(config.rootpath / TABLA)), "recuento-capacidades")


def lee_filas(ruta: Path) -> list[str]:
    """Ids de la tabla, en su orden. `UsageError` si falta, está vacía, no tiene columna `id` o repite uno."""
    try:
        with ruta.open(encoding="utf-8", newline="") as archivo:
            filas = [fila["id"] for fila in csv.DictReader(archivo, delimiter="\t", quoting=csv.QUOTE_NONE)]
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise pytest.UsageError(f"No se pudo leer la columna `id` de {ruta}: {error}") from error
    if not filas:
        raise pytest.UsageError(f"{ruta} no tiene ninguna fila")
    if repetidos := sorted({fila for fila in filas if filas.count(fila) > 1}):
        raise pytest.UsageError(f"{ruta} repite {', '.join(repetidos)}")
    return filas


def agrupa(ids: Iterable[str]) -> str:
    """Compacta ids consecutivos: `A01 A02 A03 A05 B01` queda en `A01-A03 A05 B01`."""
    tramos: list[list[str]] = []
    for id_fila in ids:
        if tramos and _siguiente(tramos[-1][-1]) == id_fila:
            tramos[-1].append(id_fila)
        else:
            tramos.append([id_fila])
    return " ".join(tramo[0] if len(tramo) == 1 else f"{tramo[0]}-{tramo[-1]}" for tramo in tramos)


def _siguiente(id_fila: str) -> str | None:
    partes = re.fullmatch(r"(\D*)(\d+)", id_fila)
    return f"{partes[1]}{int(partes[2]) + 1:0{len(partes[2])}}" if partes else None
