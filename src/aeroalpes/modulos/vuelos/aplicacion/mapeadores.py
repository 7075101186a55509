"""De los datos que llegan a los objetos valor del dominio, que se validan al nacer."""

from __future__ import annotations

from aeroalpes.modulos.vuelos.aplicacion.dto import AeropuertoDTO, HotelDTO, ItinerarioDTO, LegDTO, VehiculoDTO
from aeroalpes.modulos.vuelos.dominio.objetos_valor import (
    Aeropuerto,
    Hotel,
    Itinerario,
    Leg,
    Odo,
    Segmento,
    Vehiculo,
)


def a_itinerarios(dtos: tuple[ItinerarioDTO, ...]) -> tuple[Itinerario, ...]:
    """Lanza `ReglaIncumplida` por el primero que una regla prohíbe."""
    return tuple(
        Itinerario(
            tuple(
                Odo(tuple(Segmento(tuple(_a_leg(leg) for leg in segmento.legs)) for segmento in odo.segmentos))
                for odo in dto.odos
            )
        )
        for dto in dtos
    )


def a_hotel(dto: HotelDTO | None) -> Hotel | None:
    """Lanza `ReglaIncumplida` si no tiene nombre."""
    return Hotel(dto.hotel, dto.fecha) if dto else None


def a_vehiculo(dto: VehiculoDTO | None) -> Vehiculo | None:
    """Lanza `ReglaIncumplida` si no es por un día al menos."""
    return Vehiculo(dto.dias, dto.edad_conductor) if dto else None


def _a_leg(dto: LegDTO) -> Leg:
    return Leg(dto.fecha_salida, dto.fecha_llegada, _a_aeropuerto(dto.origen), _a_aeropuerto(dto.destino))


def _a_aeropuerto(dto: AeropuertoDTO) -> Aeropuerto:
    return Aeropuerto(dto.codigo, dto.nombre)
