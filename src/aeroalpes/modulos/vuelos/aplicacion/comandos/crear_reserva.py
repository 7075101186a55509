"""Reservar un viaje."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from aeroalpes.modulos.vuelos.aplicacion.dto import HotelDTO, ItinerarioDTO, VehiculoDTO
from aeroalpes.modulos.vuelos.aplicacion.mapeadores import a_hotel, a_itinerarios, a_vehiculo
from aeroalpes.modulos.vuelos.dominio.entidades import Reserva
from aeroalpes.modulos.vuelos.dominio.objetos_valor import TipoPasajero
from aeroalpes.modulos.vuelos.dominio.repositorios import RepositorioReservas
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj
from seedwork.dominio.eventos import nuevo_id


@dataclass(frozen=True, kw_only=True)
class CrearReserva(Comando[UUID]):
    """Devuelve el id de la reserva, que quien la pide puede haber decidido."""

    itinerarios: tuple[ItinerarioDTO, ...]
    id: UUID = field(default_factory=nuevo_id)
    id_cliente: UUID | None = None
    pasajeros: tuple[str, ...] = ()
    medio_pago: str | None = None
    hotel: HotelDTO | None = None
    vehiculo: VehiculoDTO | None = None


def crear_reserva(comando: CrearReserva, reservas: RepositorioReservas, reloj: Reloj) -> UUID:
    reserva = nueva_reserva(comando, reloj)
    reservas.guardar(reserva)
    return reserva.id


def nueva_reserva(comando: CrearReserva, reloj: Reloj) -> Reserva:
    """La reserva que el comando describe, con sus reglas comprobadas y sin guardar."""
    return Reserva.crear(
        id=comando.id,
        id_cliente=comando.id_cliente,
        itinerarios=a_itinerarios(comando.itinerarios),
        pasajeros=tuple(TipoPasajero(tipo) for tipo in comando.pasajeros),
        medio_pago=comando.medio_pago,
        hotel=a_hotel(comando.hotel),
        vehiculo=a_vehiculo(comando.vehiculo),
        fecha=reloj.ahora(),
    )
