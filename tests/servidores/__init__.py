"""Los servidores de verdad con que se prueba la suite: PostgreSQL, Redis, RabbitMQ, Kafka y Pulsar.

`make servidores` los deja en marcha; desde una prueba se pueden parar y volver a arrancar, con sus datos y en los
mismos puertos. Una prueba que los pare debe usar una carpeta suya (`raiz`), con lo que tiene también servidores y
puertos suyos y no estorba a nadie.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.servidores.mando import RAIZ, SERVIDORES, Mando, raiz_datos, urls_en

__all__ = ["ServidorNoDisponible", "arrancar", "parar", "pids", "urls"]


class ServidorNoDisponible(Exception):
    """El servidor no arrancó o no paró; el texto es lo que dijo al intentarlo."""


def arrancar(nombre: str, raiz: Path | None = None) -> dict[str, str]:
    """Vuelve cuando `nombre` atiende, con las URLs que hay en marcha. `ServidorNoDisponible` si no puede ser."""
    _mandar("arrancar", nombre, raiz=raiz)
    return urls(raiz)


def parar(nombre: str, raiz: Path | None = None, *, borrar: bool = False) -> None:
    """Vuelve cuando ya no queda ningún proceso de `nombre`. Sus datos quedan, salvo con `borrar`."""
    _mandar("parar", nombre, *(["--borrar"] if borrar else []), raiz=raiz)


def urls(raiz: Path | None = None) -> dict[str, str]:
    """Las URLs de los servidores en marcha, por el nombre de su variable (`TEST_REDIS_URL`...)."""
    return urls_en(raiz or raiz_datos())


def pids(nombre: str, raiz: Path | None = None) -> list[int]:
    """Los procesos de `nombre`, el que atiende el último; ninguno si no está en marcha."""
    return Mando(SERVIDORES[nombre], raiz or raiz_datos()).pids()


def _mandar(*argumentos: str, raiz: Path | None) -> None:
    # En un proceso aparte: el servidor no queda de hijo de la prueba, que no tiene por qué esperarlo.
    hecho = subprocess.run(
        [sys.executable, "-m", "tests.servidores", *argumentos],
        cwd=RAIZ,
        env={**os.environ, "SERVIDORES_DATOS": str(raiz or raiz_datos())},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if hecho.returncode:
        raise ServidorNoDisponible(hecho.stderr.strip())
