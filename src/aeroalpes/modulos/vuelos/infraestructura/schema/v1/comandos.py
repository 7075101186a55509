"""El registro del tópico `comandos-reserva` (clave: id de la reserva)."""

from __future__ import annotations

from dataclasses import dataclass

from seedwork.infraestructura.schema.v1.mensajes import ComandoIntegracion

TOPICO = "comandos-reserva"


@dataclass(frozen=True, kw_only=True)
class Locacion:
    codigo: str
    nombre: str


@dataclass(frozen=True, kw_only=True)
class Leg:
    """Fechas en milisegundos desde 1970."""

    fecha_salida: int
    fecha_llegada: int
    origen: Locacion
    destino: Locacion


@dataclass(frozen=True, kw_only=True)
class Segmento:
    legs: list[Leg]


@dataclass(frozen=True, kw_only=True)
class Odo:
    segmentos: list[Segmento]


@dataclass(frozen=True, kw_only=True)
class Itinerario:
    odos: list[Odo]


@dataclass(frozen=True, kw_only=True)
class Hotel:
    """La noche que se quiere en un hotel; `fecha` es su día, AAAA-MM-DD."""

    hotel: str
    fecha: str


@dataclass(frozen=True, kw_only=True)
class Vehiculo:
    """El vehículo que se quiere alquilar, por `dias` enteros; `edad_conductor` en años."""

    dias: int
    edad_conductor: int


@dataclass(frozen=True, kw_only=True)
class CrearReserva:
    """Reservar un viaje con el id que decide quien lo pide."""

    id_reserva: str
    id_cliente: str | None = None
    itinerarios: list[Itinerario]
    pasajeros: list[str]
    medio_pago: str | None = None
    hotel: Hotel | None = None
    vehiculo: Vehiculo | None = None


@dataclass(frozen=True, kw_only=True)
class RegistrarPago:
    id_reserva: str


@dataclass(frozen=True, kw_only=True)
class AprobarReserva:
    id_reserva: str


@dataclass(frozen=True, kw_only=True)
class CancelarReserva:
    id_reserva: str
    motivo: str


@dataclass(frozen=True, kw_only=True)
class ComandosReserva(ComandoIntegracion):
    """Lo que se le pide a vuelos: exactamente una variante, la que nombra `type`."""

    crear_reserva: CrearReserva | None = None
    registrar_pago: RegistrarPago | None = None
    aprobar_reserva: AprobarReserva | None = None
    cancelar_reserva: CancelarReserva | None = None
