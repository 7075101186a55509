"""El índice de vehiculos: quién atiende qué."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aeroalpes.modulos.vehiculos.aplicacion.comandos.ordenar_alquiler import OrdenarAlquiler, ordenar_alquiler
from aeroalpes.modulos.vehiculos.aplicacion.puertos import Alquileres
from aeroalpes.modulos.vehiculos.infraestructura import migraciones
from aeroalpes.modulos.vehiculos.infraestructura.consumidores import al_recibir_comando
from aeroalpes.modulos.vehiculos.infraestructura.coreografia import al_pasar_algo_a_la_reserva
from aeroalpes.modulos.vehiculos.infraestructura.repositorios import AlquileresSQLAlchemy
from aeroalpes.modulos.vehiculos.infraestructura.schema.v1 import eventos
from seedwork.aplicacion.modulo import Modulo
from seedwork.infraestructura.migraciones import Migraciones

VEHICULOS = Modulo(
    nombre="vehiculos",
    paquete=__package__,
    comandos={OrdenarAlquiler: ordenar_alquiler},
    puertos={Alquileres: AlquileresSQLAlchemy},
    publica={
        eventos.TOPICO: [eventos.VehiculoReservado, eventos.VehiculoRechazado, eventos.VehiculoLiberado],
    },
    consumidores=[al_recibir_comando],
    migraciones=[Migraciones("vehiculos", Path(migraciones.__file__).parent)],
)
VEHICULOS_COREOGRAFIADO = replace(VEHICULOS, consumidores=[*VEHICULOS.consumidores, al_pasar_algo_a_la_reserva])
"""El mismo contexto cuando nadie lleva la reserva: reacciona a lo que les pasa a los demás."""
