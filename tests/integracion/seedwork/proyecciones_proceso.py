"""El mandato `seedwork proyeccion` en un proceso que muere donde se le dice: `python -m ... DONDE ARGUMENTO...`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.integracion.seedwork.movimientos import al_aplicar

from seedwork.infraestructura.proyecciones import turno
from seedwork.infraestructura.proyecciones.sombra import Sombra
from seedwork.presentacion.cli import main


def morir() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def a_mitad() -> None:
    """Al aplicar el tercero."""
    vistos: list[Any] = []

    def contar(movimiento: Any, _sesion: Any) -> None:
        vistos.append(movimiento)
        if len(vistos) == 3:
            morir()

    al_aplicar.append(contar)


def al_sustituir() -> None:
    """Con las tablas ya cambiadas y sin confirmar."""
    sustituir = Sombra.sustituir

    def y_morir(sombra: Sombra, sesion: Any) -> None:
        sustituir(sombra, sesion)
        morir()

    Sombra.sustituir = y_morir  # type: ignore[method-assign]


def despacio() -> None:
    """No muere: tarda lo bastante para que se vea la barra."""
    al_aplicar.append(lambda *_: time.sleep(0.05))


DONDE: dict[str, Callable[[], None]] = {f.__name__: f for f in (a_mitad, al_sustituir, despacio)}

if __name__ == "__main__":
    turno.ARRIENDO_S = 1.5
    DONDE[sys.argv.pop(1)]()
    main()
