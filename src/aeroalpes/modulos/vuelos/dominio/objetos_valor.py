"""De qué está hecha una reserva: itinerarios, odos (opciones origen-destino), segmentos y legs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from aeroalpes.modulos.vuelos.dominio.reglas import (
    AlMenosUnDia,
    AlMenosUnLeg,
    CodigoPresente,
    HotelConNombre,
    LlegadaPosteriorALaSalida,
    OrigenDistintoDelDestino,
)
from seedwork.dominio.objetos_valor import ObjetoValor
from seedwork.dominio.reglas import validar


class EstadoReserva(StrEnum):
    """Por dónde va una reserva."""

    PENDIENTE = "PENDIENTE"
    PAGADA = "PAGADA"
    APROBADA = "APROBADA"
    CANCELADA = "CANCELADA"


class Producto(StrEnum):
    """Lo que una reserva puede llevar, además de su pago."""

    VUELOS = "VUELOS"
    HOTEL = "HOTEL"
    VEHICULO = "VEHICULO"


class TipoPasajero(StrEnum):
    """Qué pasaje paga una persona."""

    ADULTO = "ADULTO"
    MENOR = "MENOR"
    INFANTE = "INFANTE"


@dataclass(frozen=True)
class Aeropuerto(ObjetoValor):
    """Un aeropuerto; su código lo identifica."""

    codigo: str
    nombre: str

    def __post_init__(self) -> None:
        validar(CodigoPresente(self.codigo))


@dataclass(frozen=True)
class Leg(ObjetoValor):
    """Un despegue y un aterrizaje."""

    fecha_salida: datetime
    fecha_llegada: datetime
    origen: Aeropuerto
    destino: Aeropuerto

    def __post_init__(self) -> None:
        validar(
            OrigenDistintoDelDestino(self.origen.codigo, self.destino.codigo),
            LlegadaPosteriorALaSalida(self.fecha_salida, self.fecha_llegada),
        )


@dataclass(frozen=True)
class Segmento(ObjetoValor):
    """Los legs de un mismo número de vuelo."""

    legs: tuple[Leg, ...]


@dataclass(frozen=True)
class Odo(ObjetoValor):
    """Una opción origen-destino."""

    segmentos: tuple[Segmento, ...]


@dataclass(frozen=True)
class Itinerario(ObjetoValor):
    """Un viaje que se puede hacer: al menos un leg."""

    odos: tuple[Odo, ...]

    def __post_init__(self) -> None:
        validar(AlMenosUnLeg(self.legs))

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Todos sus legs, en orden."""
        return tuple(leg for odo in self.odos for segmento in odo.segmentos for leg in segmento.legs)


@dataclass(frozen=True)
class Hotel(ObjetoValor):
    """La noche que se quiere en un hotel; si hay sitio, lo sabe hoteles."""

    hotel: str
    fecha: date

    def __post_init__(self) -> None:
        validar(HotelConNombre(self.hotel))


@dataclass(frozen=True)
class Vehiculo(ObjetoValor):
    """El vehículo que se quiere alquilar, por días enteros; si se puede, lo sabe vehiculos."""

    dias: int
    edad_conductor: int

    def __post_init__(self) -> None:
        validar(AlMenosUnDia(self.dias))
