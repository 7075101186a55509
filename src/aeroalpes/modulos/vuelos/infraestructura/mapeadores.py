"""Entre una reserva y su fila, y entre una fila y el DTO que se lee."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Row

from aeroalpes.modulos.vuelos.aplicacion.dto import (
    AeropuertoDTO,
    HotelDTO,
    ItinerarioDTO,
    LegDTO,
    OdoDTO,
    ReservaDTO,
    SegmentoDTO,
    VehiculoDTO,
)
from aeroalpes.modulos.vuelos.aplicacion.mapeadores import a_hotel, a_itinerarios, a_vehiculo
from aeroalpes.modulos.vuelos.dominio.entidades import Reserva
from aeroalpes.modulos.vuelos.dominio.objetos_valor import (
    EstadoReserva,
    Hotel,
    Itinerario,
    Producto,
    TipoPasajero,
    Vehiculo,
)
from aeroalpes.modulos.vuelos.infraestructura.fechas import a_ms, de_ms


class MapeadorReserva:
    """Implementa el `Mapeador` del repositorio: los itinerarios van enteros en una columna JSON."""

    def a_fila(self, reserva: Reserva) -> Mapping[str, Any]:
        return {
            "id_cliente": reserva.id_cliente,
            "estado": str(reserva.estado),
            "motivo": reserva.motivo,
            "medio_pago": reserva.medio_pago,
            "monto": reserva.monto,
            "pasajeros": [str(tipo) for tipo in reserva.pasajeros],
            "itinerarios": [_itinerario_a_json(itinerario) for itinerario in reserva.itinerarios],
            "hotel": _hotel_a_json(reserva.hotel),
            "vehiculo": _vehiculo_a_json(reserva.vehiculo),
            "confirmados": sorted(reserva.confirmados),
            "fecha_creacion_ms": a_ms(reserva.fecha_creacion),
            "fecha_actualizacion_ms": a_ms(reserva.fecha_actualizacion),
        }

    def a_agregado(self, fila: Row[Any]) -> Reserva:
        return Reserva(
            id=fila.id,
            id_cliente=fila.id_cliente,
            itinerarios=a_itinerarios(de_json(fila.itinerarios)),
            pasajeros=tuple(TipoPasajero(tipo) for tipo in fila.pasajeros),
            medio_pago=fila.medio_pago,
            hotel=a_hotel(_hotel_de_json(fila.hotel)),
            vehiculo=a_vehiculo(_vehiculo_de_json(fila.vehiculo)),
            monto=fila.monto,
            confirmados=frozenset(Producto(producto) for producto in fila.confirmados),
            estado=EstadoReserva(fila.estado),
            motivo=fila.motivo,
            fecha_creacion=de_ms(fila.fecha_creacion_ms),
            fecha_actualizacion=de_ms(fila.fecha_actualizacion_ms),
        )


def a_dto(fila: Row[Any]) -> ReservaDTO:
    """La fila como se lee, sin pasar por el agregado."""
    return ReservaDTO(
        id=fila.id,
        id_cliente=fila.id_cliente,
        itinerarios=de_json(fila.itinerarios),
        pasajeros=tuple(fila.pasajeros),
        hotel=_hotel_de_json(fila.hotel),
        vehiculo=_vehiculo_de_json(fila.vehiculo),
        estado=fila.estado,
        motivo=fila.motivo,
        fecha_creacion=de_ms(fila.fecha_creacion_ms),
        fecha_actualizacion=de_ms(fila.fecha_actualizacion_ms),
    )


def de_json(itinerarios: Any) -> tuple[ItinerarioDTO, ...]:
    """Los itinerarios guardados: listas de odos, de segmentos, de legs."""
    return tuple(
        ItinerarioDTO(
            tuple(
                OdoDTO(tuple(SegmentoDTO(tuple(_leg_de_json(leg) for leg in segmento)) for segmento in odo))
                for odo in itinerario
            )
        )
        for itinerario in itinerarios
    )


def _itinerario_a_json(itinerario: Itinerario) -> Any:
    return [
        [
            [
                {
                    "salida_ms": a_ms(leg.fecha_salida),
                    "llegada_ms": a_ms(leg.fecha_llegada),
                    "origen": [leg.origen.codigo, leg.origen.nombre],
                    "destino": [leg.destino.codigo, leg.destino.nombre],
                }
                for leg in segmento.legs
            ]
            for segmento in odo.segmentos
        ]
        for odo in itinerario.odos
    ]


def _leg_de_json(leg: Any) -> LegDTO:
    return LegDTO(
        de_ms(leg["salida_ms"]),
        de_ms(leg["llegada_ms"]),
        AeropuertoDTO(*leg["origen"]),
        AeropuertoDTO(*leg["destino"]),
    )


def _hotel_a_json(hotel: Hotel | None) -> Any:
    return {"hotel": hotel.hotel, "fecha": hotel.fecha.isoformat()} if hotel else None


def _hotel_de_json(hotel: Any) -> HotelDTO | None:
    return HotelDTO(hotel["hotel"], date.fromisoformat(hotel["fecha"])) if hotel else None


def _vehiculo_a_json(vehiculo: Vehiculo | None) -> Any:
    return {"dias": vehiculo.dias, "edad_conductor": vehiculo.edad_conductor} if vehiculo else None


def _vehiculo_de_json(vehiculo: Any) -> VehiculoDTO | None:
    return VehiculoDTO(vehiculo["dias"], vehiculo["edad_conductor"]) if vehiculo else None
