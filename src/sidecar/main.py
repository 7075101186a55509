"""Arranca el sidecar: `python src/sidecar/main.py`."""

import signal
import sys

if __name__ == "__main__":
    # El primer proceso de un contenedor no oye SIGTERM si no lo pide, y los imports tardan: que pare también entonces.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import asyncio
import logging

from configuracion import Configuracion, ConfiguracionInvalida
from servidor import PuertoOcupado, servir


def main() -> int:
    """Código de salida: 0 si paró porque se le pidió, 1 si no pudo arrancar."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(servir(Configuracion.leer()))
    except (ConfiguracionInvalida, PuertoOcupado) as error:
        logging.getLogger("sidecar").error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
