"""Los contextos de una reserva en marcha en la prueba, y cómo acaba cada una."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.integracion.aeroalpes.contexto import Contexto, en_marcha

from aeroalpes.composicion import MODULOS
from aeroalpes.modulos.pagos.aplicacion.puertos import PasarelaPagos
from aeroalpes.modulos.pagos.infraestructura.pasarela import PasarelaSimulada
from aeroalpes.modulos.sagas.aplicacion.reservar import RESERVAR
from aeroalpes.modulos.sagas.modulo import SAGAS
from aeroalpes.modulos.vuelos.aplicacion import dto
from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.vencer_reserva import VencerReserva
from aeroalpes.modulos.vuelos.aplicacion.queries.obtener_reserva import ObtenerReserva
from aeroalpes.modulos.vuelos.infraestructura import coreografia
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos
from aeroalpes.modulos.vuelos.modulo import VUELOS_COREOGRAFIADO
from seedwork.aplicacion.modulo import Modulo
from seedwork.infraestructura.politica import Reintentos

NACIO = datetime(2022, 11, 22, 13, tzinfo=UTC)


def reserva(
    destino: str = "JFK", medio: str | None = None, hotel: str | None = None, edad: int | None = None
) -> CrearReserva:
    """Una reserva; con una noche en `hotel` y con un coche para quien tiene esa edad, si se dicen."""
    tramo = dto.LegDTO(NACIO, NACIO.replace(hour=15), dto.AeropuertoDTO("BOG", ""), dto.AeropuertoDTO(destino, ""))
    itinerarios = (dto.ItinerarioDTO((dto.OdoDTO((dto.SegmentoDTO((tramo,)),)),)),)
    return CrearReserva(
        itinerarios=itinerarios,
        medio_pago=medio,
        hotel=dto.HotelDTO(hotel, NACIO.date()) if hotel else None,
        vehiculo=dto.VehiculoDTO(3, edad) if edad else None,
    )


def cambiando(*otros: Modulo, en: Sequence[Modulo] = MODULOS) -> list[Modulo]:
    """Los módulos del servicio, con éstos en el lugar de los que se llaman igual."""
    nuevos = {modulo.nombre: modulo for modulo in otros}
    return [nuevos.get(modulo.nombre, modulo) for modulo in en]


def sagas_con_plazo(plazo_s: float) -> Modulo:
    """Las sagas, con otro plazo en los pasos que lo tienen."""
    pasos = [replace(paso, plazo_s=paso.plazo_s and plazo_s) for paso in RESERVAR.pasos]
    return replace(SAGAS, sagas=[replace(RESERVAR, pasos=pasos)])


def vuelos_con_plazo(plazo_s: float) -> Modulo:
    """Vuelos en la coreografía, con otro plazo para completar sus reservas."""
    suyo = coreografia.al_empezar_a_contar

    def al_empezar_a_contar(mensaje: eventos.EventosReserva) -> VencerReserva | None:
        vencer = suyo(mensaje)
        return vencer and replace(vencer, plazo_s=plazo_s)

    otro = replace(
        suyo,
        rutas=(replace(suyo.rutas[0], funcion=al_empezar_a_contar),),
        reintentos=Reintentos(maximo=None, espera_s=plazo_s),
    )
    return replace(
        VUELOS_COREOGRAFIADO, consumidores=[otro if c is suyo else c for c in VUELOS_COREOGRAFIADO.consumidores]
    )


@asynccontextmanager
async def suite_en(
    carpeta: Path, base: str | None = None, modulos: Sequence[Modulo] = MODULOS
) -> AsyncIterator[Contexto]:
    registros: dict[str, type] = {eventos.TOPICO: eventos.EventosReserva}
    puertos = {PasarelaPagos: PasarelaSimulada(plazo_s=0.1)}
    async with en_marcha(modulos, carpeta, registros, base_datos=base, puertos=puertos) as suite:
        yield suite


async def acaba(suite: Contexto, id: uuid.UUID) -> tuple[str, str | None]:
    """Espera a que la reserva quede aprobada o cancelada, y dice cómo y por qué."""
    finales = {"ReservaAprobada", "ReservaCancelada"}
    await suite.hasta(lambda: finales & {*suite.tipos(id)}, "acabara")
    vista = await suite.sistema.ejecutar_async(ObtenerReserva(id=id))
    return vista.estado, vista.motivo
