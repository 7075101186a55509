"""El trabajador aparte: relay y consumidores, sin API. `python src/aeroalpes/main.py`."""

import sys
from pathlib import Path

# Al ejecutar este archivo, Python pone su carpeta en el camino; los paquetes están en la de arriba.
sys.path[0] = str(Path(__file__).resolve().parents[1])

import structlog  # noqa: E402

from aeroalpes.composicion import componer  # noqa: E402
from aeroalpes.config import leer_configuracion  # noqa: E402
from seedwork.aplicacion.firmas import ErrorDeArranque  # noqa: E402
from seedwork.infraestructura.brokers import ErrorBroker  # noqa: E402
from seedwork.infraestructura.mensajeria import Mensajeria  # noqa: E402
from seedwork.infraestructura.observabilidad import configurar_registro  # noqa: E402


def main() -> int:
    configurar_registro()
    try:
        bus = componer(leer_configuracion())
    except ErrorDeArranque as error:
        sys.stderr.write(f"{error}\n")
        return 1
    try:
        registro = structlog.get_logger("aeroalpes.trabajador")
        Mensajeria(bus=bus).run(al_estar_lista=lambda: registro.info("trabajador.listo"))
    except ErrorBroker as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        bus.cerrar()
    return 0


if __name__ == "__main__":
    sys.exit(main())
