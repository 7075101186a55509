"""En qué proceso está la aplicación: el que atiende peticiones, o uno que sólo la carga."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType

import click
from flask.helpers import get_debug_flag
from werkzeug.serving import is_running_from_reloader


def atiende_peticiones() -> bool:
    """Falso en `flask routes` y similares, y en el padre del recargador de `--debug`, que sólo vigila archivos."""
    contexto = click.get_current_context(silent=True)
    if contexto is None:
        return True
    if contexto.info_name != "run":
        return False
    recarga = contexto.params.get("reload")
    return is_running_from_reloader() or not (get_debug_flag() if recarga is None else recarga)


def es_flask_run() -> bool:
    """Si lo que corre es el servidor de desarrollo de Flask."""
    contexto = click.get_current_context(silent=True)
    return contexto is not None and contexto.info_name == "run"


def salir_con_sigterm() -> None:
    """SIGTERM sale como Ctrl-C, cerrando en orden; al servidor de desarrollo lo mataría sin más."""

    def salir(senal: int, _marco: FrameType | None) -> None:
        signal.signal(senal, signal.SIG_IGN)  # una segunda no interrumpe el cierre
        sys.exit(0)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, salir)
