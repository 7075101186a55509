"""Cómo dice que ya está listo un proceso que no tiene puerto por el que preguntárselo."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)


class Anuncio:
    """Al llamarlo deja en `archivo` el pid de este proceso; al crearlo borra el que hubiera dejado otro.

    En un contenedor todos tienen el mismo pid: sin borrarlo, el de uno que murió valdría por el siguiente. Si no se
    puede escribir, lo advierte y no lanza: el proceso trabaja igual.
    """

    def __init__(self, archivo: Path) -> None:
        self._archivo = archivo
        with suppress(OSError):
            archivo.unlink()

    def __call__(self) -> None:
        temporal = self._archivo.with_suffix(f".{os.getpid()}")
        try:
            self._archivo.parent.mkdir(parents=True, exist_ok=True)
            temporal.write_text(str(os.getpid()), encoding="ascii")
            temporal.replace(self._archivo)
        except OSError as error:
            _log.warning("anuncio.imposible", archivo=str(self._archivo), error=str(error))
