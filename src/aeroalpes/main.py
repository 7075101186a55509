"""El trabajador aparte: relay y consumidores, sin API. `python src/aeroalpes/main.py`."""

import signal
import sys
from pathlib import Path

# Al ejecutar este archivo, Python pone su carpeta en el camino; los paquetes están en la de arriba.
sys.path[0] = str(Path(__file__).resolve().parents[1])

if __name__ == "__main__":
    # El primer proceso de un contenedor no oye SIGTERM si no lo pide, y los imports tardan: que pare también entonces.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import structlog  # noqa: E402

from aeroalpes.composicion import componer  # noqa: E402
from aeroalpes.config import leer_configuracion  # noqa: E402
from seedwork.aplicacion.firmas import ErrorDeArranque  # noqa: E402
from seedwork.infraestructura.anuncio import Anuncio  # noqa: E402
from seedwork.infraestructura.brokers import ErrorBroker  # noqa: E402
from seedwork.infraestructura.mensajeria import Mensajeria  # noqa: E402
from seedwork.infraestructura.observabilidad import configurar_registro  # noqa: E402


def main() -> int:
    configurar_registro()
    try:
        configuracion = leer_configuracion()
        anuncio = Anuncio(Path(configuracion.datos) / "trabajador.listo")
        bus = componer(configuracion)
    except ErrorDeArranque as error:
        sys.stderr.write(f"{error}\n")
        return 1
    try:
        Mensajeria(bus=bus).run(al_estar_lista=lambda: _anunciar(anuncio))
    except ErrorBroker as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        bus.cerrar()
    return 0


def _anunciar(anuncio: Anuncio) -> None:
    anuncio()
    structlog.get_logger("aeroalpes.trabajador").info("trabajador.listo")


if __name__ == "__main__":
    sys.exit(main())
