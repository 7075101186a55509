"""Arranca la suite entera en un terminal: es lo que hace `make run`. Ctrl-C la detiene."""

import sys
from pathlib import Path

from arranque.parada import Parada


def main() -> int:
    parada = Parada()  # antes de los imports que tardan: un Ctrl-C temprano también es una parada limpia
    from arranque.aeroalpes import suite
    from arranque.lanzador import lanzar

    return lanzar(suite, parada=parada, carpeta=Path(__file__).resolve().parents[1])


if __name__ == "__main__":
    sys.exit(main())
