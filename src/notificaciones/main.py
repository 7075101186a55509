"""Arranque del servicio de notificaciones: `python src/notificaciones/main.py`."""

import signal
import sys
from pathlib import Path

# Al correr este archivo, Python pone su carpeta al frente de la ruta, y los paquetes están en la de arriba.
sys.path[0] = str(Path(__file__).resolve().parents[1])

if __name__ == "__main__":
    # El primer proceso de un contenedor no oye SIGTERM si no lo pide, y los imports tardan: que pare también entonces.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import structlog  # noqa: E402  (los imports dependen de la línea anterior)

from notificaciones.cartero import Cartero  # noqa: E402
from notificaciones.configuracion import (  # noqa: E402
    Configuracion,
    ConfiguracionInvalida,
    cartero_de,
    leer_configuracion,
)
from notificaciones.consumidores import avisar  # noqa: E402
from notificaciones.libreta import MIGRACIONES, Libreta, apuntar  # noqa: E402
from seedwork.aplicacion.firmas import ErrorDeArranque  # noqa: E402
from seedwork.aplicacion.modulo import Modulo  # noqa: E402
from seedwork.infraestructura.anuncio import Anuncio  # noqa: E402
from seedwork.infraestructura.base_datos import crear_motor  # noqa: E402
from seedwork.infraestructura.brokers import ErrorBroker  # noqa: E402
from seedwork.infraestructura.configuracion import broker_del_entorno  # noqa: E402
from seedwork.infraestructura.mensajeria import Mensajeria  # noqa: E402
from seedwork.infraestructura.observabilidad import configurar_registro  # noqa: E402
from seedwork.infraestructura.sistema import Sistema, bootstrap  # noqa: E402


def main() -> int:
    configurar_registro()
    try:
        configuracion = leer_configuracion()
        anuncio = Anuncio(configuracion.datos / "notificaciones.listo")
        bus = componer(configuracion)
        try:
            Mensajeria(bus=bus).run(al_estar_lista=lambda: _anunciar(anuncio))
        finally:
            bus.cerrar()
    except (ConfiguracionInvalida, ErrorDeArranque, ErrorBroker) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def componer(configuracion: Configuracion) -> Sistema:
    """El servicio con su base, su libreta y su cartero; lanza `ErrorDeArranque` o `ConfiguracionInvalida`."""
    cartero, url = cartero_de(configuracion), f"sqlite:///{configuracion.datos}/notificaciones.db"
    motor = crear_motor(url)
    return bootstrap(
        [Modulo(nombre="notificaciones", consumidores=[avisar, apuntar], migraciones=[MIGRACIONES])],
        base_datos=url,
        broker=broker_del_entorno(),
        servicio="notificaciones",
        fabrica_motor=lambda _: motor,
        puertos={Cartero: cartero, Configuracion: configuracion, Libreta: Libreta(motor)},
    )


def _anunciar(anuncio: Anuncio) -> None:
    anuncio()
    structlog.get_logger(__name__).info("notificaciones.listo")


if __name__ == "__main__":
    sys.exit(main())
