"""Las reglas de una reserva, cada una con su frase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class CodigoPresente:
    codigo: str
    mensaje = "Un aeropuerto se identifica por su código"

    def es_valida(self) -> bool:
        return bool(self.codigo.strip())


@dataclass(frozen=True)
class OrigenDistintoDelDestino:
    origen: str
    destino: str
    mensaje = "El origen y el destino de un leg son aeropuertos distintos"

    def es_valida(self) -> bool:
        return self.origen.strip().casefold() != self.destino.strip().casefold()


@dataclass(frozen=True)
class LlegadaPosteriorALaSalida:
    salida: datetime
    llegada: datetime
    mensaje = "Un leg llega después de salir"

    def es_valida(self) -> bool:
        return self.llegada > self.salida


@dataclass(frozen=True)
class HotelConNombre:
    hotel: str
    mensaje = "Un hotel se identifica por su nombre"

    def es_valida(self) -> bool:
        return bool(self.hotel.strip())


@dataclass(frozen=True)
class AlMenosUnDia:
    dias: int
    mensaje = "Un vehículo se alquila al menos un día"

    def es_valida(self) -> bool:
        return self.dias >= 1


@dataclass(frozen=True)
class AlMenosUnLeg:
    legs: Sequence[Any]
    mensaje = "Un itinerario tiene al menos un leg"

    def es_valida(self) -> bool:
        return len(self.legs) > 0


@dataclass(frozen=True)
class AlMenosUnItinerario:
    itinerarios: Sequence[Any]
    mensaje = "Una reserva tiene al menos un itinerario"

    def es_valida(self) -> bool:
        return len(self.itinerarios) > 0


@dataclass(frozen=True)
class AlMenosUnAdulto:
    """Sólo se exige cuando se dice quién viaja."""

    pasajeros: Sequence[str]
    mensaje = "Entre los pasajeros viaja al menos un adulto"

    def es_valida(self) -> bool:
        return not self.pasajeros or "ADULTO" in self.pasajeros


@dataclass(frozen=True)
class EstadoPermite:
    """De un estado sólo se pasa a los que la tabla permite."""

    actual: str
    siguiente: str

    @property
    def mensaje(self) -> str:
        return f"Una reserva {self.actual} no puede pasar a {self.siguiente}"

    def es_valida(self) -> bool:
        return self.siguiente in _TRANSICIONES[self.actual]


_TRANSICIONES = {
    "PENDIENTE": ("PAGADA", "CANCELADA"),
    "PAGADA": ("APROBADA", "CANCELADA"),
    "APROBADA": ("CANCELADA",),
    "CANCELADA": (),
}
