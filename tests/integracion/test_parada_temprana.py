"""SIGTERM mientras un proceso aún carga sus bibliotecas: para enseguida, también si nace sin oírlo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.procesos import RAIZ

BIBLIOTECA = """
import os, signal
os.kill(os.getpid(), signal.SIGTERM)
raise AssertionError("SIGTERM no se oyó")
"""


@pytest.mark.parametrize("principal", ["aeroalpes", "notificaciones", "sidecar", "ui"])
def test_una_peticion_de_parar_que_llega_durante_los_imports_se_atiende(principal: str, tmp_path: Path) -> None:
    for biblioteca in ("structlog", "pydantic", "grpc"):  # la primera que importe cada uno
        (tmp_path / f"{biblioteca}.py").write_text(BIBLIOTECA, encoding="utf-8")
    hecho = subprocess.run(
        [sys.executable, f"src/{principal}/main.py"],
        cwd=RAIZ,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "AEROALPES_DATOS": str(tmp_path)},
        # Así nace el primer proceso de un contenedor: lo que no pida oír, no le llega.
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (hecho.returncode, hecho.stderr) == (0, "")
