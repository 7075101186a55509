"""El índice de precios_dinamicos: quién atiende qué."""

from __future__ import annotations

from pathlib import Path

from aeroalpes.modulos.precios_dinamicos.aplicacion.puertos import VistaDemanda, VistaHistoria
from aeroalpes.modulos.precios_dinamicos.aplicacion.queries.obtener_historia import ObtenerHistoria, obtener_historia
from aeroalpes.modulos.precios_dinamicos.aplicacion.queries.obtener_precio import ObtenerPrecio, obtener_precio
from aeroalpes.modulos.precios_dinamicos.infraestructura import demanda, historia, migraciones
from seedwork.aplicacion.modulo import Modulo
from seedwork.infraestructura.migraciones import Migraciones

PRECIOS_DINAMICOS = Modulo(
    nombre="precios_dinamicos",
    paquete=__package__,
    queries={ObtenerPrecio: obtener_precio, ObtenerHistoria: obtener_historia},
    puertos={VistaDemanda: demanda.VistaDemandaSQLAlchemy, VistaHistoria: historia.VistaHistoriaSQLAlchemy},
    consumidores=[demanda.proyectar, historia.proyectar],
    migraciones=[Migraciones("precios_dinamicos", Path(migraciones.__file__).parent)],
)
