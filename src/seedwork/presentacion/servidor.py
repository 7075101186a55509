"""En qué proceso está la aplicación: el que atiende peticiones, o uno que sólo la carga."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from types import FrameType

import click
from flask.helpers import get_debug_flag
from werkzeug.serving import is_running_from_reloader

from seedwork.infraestructura.observabilidad import configurar_registro


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


def escribir_registro() -> None:
    """Configura cómo se escriben los registros, salvo que quien aloja la aplicación ya lo haya decidido."""
    if not logging.getLogger().handlers:
        configurar_registro()


def preparar_senales() -> None:
    """Que `flask run` cierre en orden: SIGTERM sale como Ctrl-C, en vez de matarlo sin más.

    En el padre del recargador, el primer Ctrl-C se deja al hijo, que también lo recibe del terminal: si no, el padre lo
    mataría al cuarto de segundo.
    """

    def salir(senal: int, _marco: FrameType | None) -> None:
        signal.signal(senal, signal.SIG_IGN)  # una segunda no interrumpe el cierre
        sys.exit(0)

    def ceder(senal: int, _marco: FrameType | None) -> None:
        signal.signal(senal, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        return
    signal.signal(signal.SIGTERM, salir)
    if not atiende_peticiones():
        signal.signal(signal.SIGINT, ceder)
