"""El registro del tópico `comandos-gds` (clave: id de la reserva)."""

from __future__ import annotations

from dataclasses import dataclass

from seedwork.infraestructura.schema.v1.mensajes import ComandoIntegracion

TOPICO = "comandos-gds"


@dataclass(frozen=True, kw_only=True)
class Tramo:
    """Un vuelo por confirmar: aeropuertos por su código, fechas en milisegundos desde 1970."""

    origen: str
    destino: str
    fecha_salida: int
    fecha_llegada: int


@dataclass(frozen=True, kw_only=True)
class ConfirmarReserva:
    """Tomar plazas en todos los tramos, o en ninguno."""

    id_reserva: str
    tramos: list[Tramo]


@dataclass(frozen=True, kw_only=True)
class RevertirConfirmacion:
    """Soltar las plazas de una reserva y, si aún no se tomaron, que ya no se tomen."""

    id_reserva: str
    motivo: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComandosGds(ComandoIntegracion):
    """Lo que se le pide a gds: exactamente una variante, la que nombra `type`."""

    confirmar_reserva: ConfirmarReserva | None = None
    revertir_confirmacion: RevertirConfirmacion | None = None
