"""Un trabajador que acepta una reserva y muere en el punto que se le diga: `python -m ... CUANDO`.

`antes_de_publicar` y `despues_de_publicar` son el relay a mitad de su lote; `antes_de_acusar`, el consumidor con el
mensaje ya atendido y su acuse sin mandar. Los plazos con que otro lo da por muerto se acortan: no son lo que se prueba.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aeroalpes.composicion import componer
from aeroalpes.config import leer_configuracion
from aeroalpes.modulos.vuelos.aplicacion import dto
from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.solicitar_reserva import SolicitarReserva
from seedwork.infraestructura import mensajeria
from seedwork.infraestructura.brokers.embebido import almacen, broker
from seedwork.infraestructura.relay import Relay

almacen.VIDA_S = broker.VIDA_S = 1.0
assert Relay.__init__.__kwdefaults__ is not None
Relay.__init__.__kwdefaults__["arriendo_s"] = 1.0


def _reserva() -> CrearReserva:
    leg = dto.LegDTO(
        datetime(2022, 11, 22, 13, tzinfo=UTC),
        datetime(2022, 11, 22, 15, tzinfo=UTC),
        dto.AeropuertoDTO("BOG", "El Dorado"),
        dto.AeropuertoDTO("JFK", "John F. Kennedy"),
    )
    return CrearReserva(itinerarios=(dto.ItinerarioDTO((dto.OdoDTO((dto.SegmentoDTO((leg,)),)),)),))


def _mortal(cuando: str, conectar: Any) -> Any:
    def conectado(url: str) -> Any:
        vivo = conectar(url)
        publicar, suscribir = vivo.publicar, vivo.suscribir

        async def publicar_y_morir(mensajes: Sequence[Any]) -> None:
            if cuando == "antes_de_publicar":
                os._exit(9)
            await publicar(mensajes)
            if cuando == "despues_de_publicar":
                os._exit(9)

        async def suscribir_y_morir(*argumentos: Any, **opciones: Any) -> Any:
            suscripcion = await suscribir(*argumentos, **opciones)

            async def morir(_entregas: Any) -> None:
                os._exit(9)

            if cuando == "antes_de_acusar":
                suscripcion.confirmar = morir
            return suscripcion

        vivo.publicar, vivo.suscribir = publicar_y_morir, suscribir_y_morir
        return vivo

    return conectado


if __name__ == "__main__":
    bus = componer(leer_configuracion())
    sys.stdout.write(f"aceptada {bus.ejecutar(SolicitarReserva(reserva=_reserva()))}\n")
    sys.stdout.flush()
    mensajeria.conectar = _mortal(sys.argv[1], mensajeria.conectar)
    mensajeria.Mensajeria(bus=bus).run()
