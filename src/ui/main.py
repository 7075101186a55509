"""Arranque del proceso ui: `python src/ui/main.py`."""

import signal
import sys
from functools import partial
from pathlib import Path

# Al correr este archivo, Python pone su carpeta al frente de la ruta, y los paquetes (ui, seedwork) están en la de
# arriba. Se reemplaza, y no se añade, para que un módulo de aquí no tape a otro del mismo nombre de una biblioteca.
sys.path[0] = str(Path(__file__).resolve().parents[1])

if __name__ == "__main__":
    # El primer proceso de un contenedor no oye SIGTERM si no lo pide, y los imports tardan: que pare también entonces.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

from pydantic import ValidationError  # noqa: E402  (los imports dependen de la línea anterior)

from seedwork.aplicacion.firmas import ErrorDeArranque  # noqa: E402
from seedwork.infraestructura.brokers import conectar  # noqa: E402
from seedwork.infraestructura.observabilidad import configurar_registro  # noqa: E402
from ui.configuracion import Configuracion  # noqa: E402
from ui.fuente import eventos  # noqa: E402
from ui.proceso import correr  # noqa: E402


def main() -> int:
    configurar_registro()
    try:
        configuracion = Configuracion()
        conectar(configuracion.broker)  # no abre nada: sólo dice ahora, y no en /readyz, que la URL no sirve
    except ValidationError as error:
        quejas = "; ".join(f"{str(queja['loc'][0]).upper()}: {queja['msg']}" for queja in error.errors())
        sys.stderr.write(f"La configuración no sirve: {quejas}\n")
        return 1
    except ErrorDeArranque as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return correr(partial(eventos, configuracion), configuracion)


if __name__ == "__main__":
    sys.exit(main())
