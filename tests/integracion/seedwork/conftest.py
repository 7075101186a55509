from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seedwork.infraestructura.sistema import Sistema
from tests.integracion.seedwork.banco import armar


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Sistema]:
    sistema = armar(tmp_path)
    yield sistema
    sistema.cerrar()
