from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.procesos import Aeroalpes, Api, aeroalpes


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Aeroalpes]:
    with aeroalpes(tmp_path / "datos") as suite:
        yield suite


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Un API en marcha para las pruebas que sólo le hablan por HTTP."""
    with aeroalpes(tmp_path_factory.mktemp("api")) as suite:
        yield suite.api()


@pytest.fixture(scope="package")
def quieta(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Path]]:
    """Un API sin trabajador y su carpeta de datos: en su base sólo cambia lo que cambie una petición."""
    with aeroalpes(tmp_path_factory.mktemp("quieta")) as suite:
        yield suite.api(AEROALPES_TRABAJADOR="aparte").http, suite.datos


@pytest.fixture(scope="package")
def http(api: Api) -> httpx.Client:
    return api.http
