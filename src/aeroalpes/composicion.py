"""La raíz de composición: qué módulos forman el servicio, sobre qué corren y cómo se ponen en marcha."""

from __future__ import annotations

from aeroalpes.config import Configuracion, leer_configuracion
from aeroalpes.modulos.cliente.modulo import CLIENTE
from aeroalpes.modulos.gds.modulo import GDS, GDS_COREOGRAFIADO
from aeroalpes.modulos.hoteles.modulo import HOTELES, HOTELES_COREOGRAFIADO
from aeroalpes.modulos.pagos.modulo import PAGOS, PAGOS_COREOGRAFIADO
from aeroalpes.modulos.precios_dinamicos.modulo import PRECIOS_DINAMICOS
from aeroalpes.modulos.sagas.modulo import SAGAS, SAGAS_SIN_EMPEZAR
from aeroalpes.modulos.vehiculos.modulo import VEHICULOS, VEHICULOS_COREOGRAFIADO
from aeroalpes.modulos.vuelos.modulo import VUELOS, VUELOS_COREOGRAFIADO
from seedwork.infraestructura import salud
from seedwork.infraestructura.hilo import MensajeriaEnHilo
from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.infraestructura.sistema import Sistema, bootstrap

SERVICIO = "aeroalpes"
MODULOS = (VUELOS, CLIENTE, PAGOS, GDS, PRECIOS_DINAMICOS, HOTELES, VEHICULOS, SAGAS)
COREOGRAFIADOS = (
    VUELOS_COREOGRAFIADO,
    CLIENTE,
    PAGOS_COREOGRAFIADO,
    GDS_COREOGRAFIADO,
    PRECIOS_DINAMICOS,
    HOTELES_COREOGRAFIADO,
    VEHICULOS_COREOGRAFIADO,
    SAGAS_SIN_EMPEZAR,
)


def componer(configuracion: Configuracion) -> Sistema:
    """El bus con todos los módulos, su base migrada y sus puertos resueltos.

    Lanza `ErrorDeArranque` si la configuración nombra un broker desconocido o una base que no se puede usar.
    """
    modulos = MODULOS if configuracion.saga == "orquestada" else COREOGRAFIADOS
    return bootstrap(modulos, base_datos=configuracion.base_datos, broker=configuracion.broker, servicio=SERVICIO)


def sistema() -> Sistema:
    """El servicio según el entorno, para `seedwork --app aeroalpes.composicion:sistema`."""
    return componer(leer_configuracion())


class EnMarcha:
    """El servicio frente al broker, en un hilo de este proceso; con `consumir`, también su trabajador."""

    def __init__(self, bus: Sistema, *, consumir: bool) -> None:
        self._bus = bus
        self._mensajeria = MensajeriaEnHilo(Mensajeria(bus=bus, consumir=consumir))

    @property
    def mensajeria(self) -> MensajeriaEnHilo:
        """Con ella se llega al broker de este proceso."""
        return self._mensajeria

    def faltas(self) -> dict[str, str | None]:
        """Por pieza, qué le falta, o None si está bien."""
        return salud.faltas(self._bus.motor, self._mensajeria)

    def parar(self) -> None:
        """Termina o devuelve lo que tenía entre manos y suelta la base."""
        self._mensajeria.parar()
        self._bus.cerrar()
