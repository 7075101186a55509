"""Plugin de pytest: con varios procesos (`-n 2`), `coverage run -m pytest` cuenta también lo que corre en ellos.

Cada obrero mide lo suyo y, al acabar, se lo da al proceso que reparte, que lo suma a lo que ya medía.
"""

from __future__ import annotations

from typing import Any

import pytest
from coverage import Coverage, CoverageData

_DATOS = "cobertura"


class Obrero:
    """En un obrero: mide desde que empieza hasta que entrega lo medido."""

    def __init__(self, config: Any) -> None:
        self._entrega = config.workeroutput
        self._medida = Coverage(data_file=None)
        _callada(self._medida).start()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self._medida.stop()
        self._entrega[_DATOS] = self._medida.get_data().dumps()


class Capataz:
    """En el proceso que reparte las pruebas."""

    def __init__(self, medida: Coverage) -> None:
        self._medida = _callada(medida)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[_DATOS] = True

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        entregado = getattr(node, "workeroutput", {}).get(_DATOS)  # un obrero que muere no entrega nada
        if entregado is not None:
            suyos = CoverageData(no_disk=True)
            suyos.loads(entregado)
            self._medida.get_data().update(suyos)


def _callada(medida: Coverage) -> Coverage:
    """La misma, que no advierta si en su proceso no corrió nada de `src`."""
    medida.set_option("run:disable_warnings", ["no-data-collected"])
    return medida


def pytest_configure(config: pytest.Config) -> None:
    entrada = getattr(config, "workerinput", None)
    medida = Coverage.current()
    if entrada is not None and _DATOS in entrada:
        config.pluginmanager.register(Obrero(config), "obrero")
    elif entrada is None and medida is not None:
        config.pluginmanager.register(Capataz(medida), "capataz")
