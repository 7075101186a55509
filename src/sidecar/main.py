"""Arranca el sidecar: `python src/sidecar/main.py`."""

import asyncio
import logging
import sys

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
