"""El índice de hoteles: quién atiende qué."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aeroalpes.modulos.hoteles.aplicacion.comandos.liberar_hotel import LiberarHotel, liberar_hotel
from aeroalpes.modulos.hoteles.aplicacion.comandos.reservar_hotel import ReservarHotel, reservar_hotel
from aeroalpes.modulos.hoteles.aplicacion.puertos import Cupo
from aeroalpes.modulos.hoteles.infraestructura import migraciones
from aeroalpes.modulos.hoteles.infraestructura.consumidores import al_recibir_comando
from aeroalpes.modulos.hoteles.infraestructura.coreografia import al_pasar_algo_a_la_reserva
from aeroalpes.modulos.hoteles.infraestructura.cupo import CupoSQL
from aeroalpes.modulos.hoteles.infraestructura.schema.v1 import eventos
from seedwork.aplicacion.modulo import Modulo
from seedwork.infraestructura.migraciones import Migraciones

HOTELES = Modulo(
    nombre="hoteles",
    paquete=__package__,
    comandos={ReservarHotel: reservar_hotel, LiberarHotel: liberar_hotel},
    puertos={Cupo: CupoSQL},
    publica={
        eventos.TOPICO: [eventos.HotelReservado, eventos.HotelRechazado, eventos.HotelLiberado],
    },
    consumidores=[al_recibir_comando],
    migraciones=[Migraciones("hoteles", Path(migraciones.__file__).parent)],
)
HOTELES_COREOGRAFIADO = replace(HOTELES, consumidores=[*HOTELES.consumidores, al_pasar_algo_a_la_reserva])
"""El mismo contexto cuando nadie lleva la reserva: reacciona a lo que les pasa a los demás."""
