"""La raíz de composición: qué módulos forman el servicio, sobre qué corren y cómo se ponen en marcha."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from aeroalpes.config import Configuracion
from aeroalpes.modulos.vuelos.modulo import VUELOS
from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura import salud
from seedwork.infraestructura.brokers import conectar, sin_clave
from seedwork.infraestructura.hilo import MensajeriaEnHilo
from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.infraestructura.sistema import Sistema, bootstrap

SERVICIO = "aeroalpes"
MODULOS = (VUELOS,)


class BaseInservible(ErrorDeArranque):
    """La base de datos que dice la configuración no se puede abrir o no es una base."""


def componer(configuracion: Configuracion) -> Sistema:
    """El bus con todos los módulos, su base migrada y sus puertos resueltos.

    Lanza `ErrorDeArranque` si la configuración nombra un broker desconocido o una base que no se puede usar.
    """
    base_datos, broker = configuracion.base_datos, configuracion.broker
    conectar(broker)  # no abre nada: comprueba la URL antes de empezar
    try:
        return bootstrap(MODULOS, base_datos=base_datos, broker=broker, servicio=SERVICIO)
    except DBAPIError as error:
        raise BaseInservible(f"La base de datos {sin_clave(base_datos)!r} no se puede usar: {error.orig}") from error


class EnMarcha:
    """El servicio frente al broker, en un hilo de este proceso; con `consumir`, también su trabajador."""

    def __init__(self, bus: Sistema, *, consumir: bool) -> None:
        self._bus = bus
        self._mensajeria = MensajeriaEnHilo(Mensajeria(bus=bus, consumir=consumir))

    def faltas(self) -> dict[str, str | None]:
        """Por pieza, qué le falta, o None si está bien."""
        return salud.faltas(self._bus.motor, self._mensajeria)

    def parar(self) -> None:
        """Termina o devuelve lo que tenía entre manos y suelta la base."""
        self._mensajeria.parar()
        self._bus.cerrar()
