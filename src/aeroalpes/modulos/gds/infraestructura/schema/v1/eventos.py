"""El registro del tópico `eventos-gds` (clave: id de la reserva)."""

from __future__ import annotations

from dataclasses import dataclass

from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion

TOPICO = "eventos-gds"


@dataclass(frozen=True, kw_only=True)
class ReservaConfirmada:
    """Hay plazas en todos los tramos; con `localizador` se identifica el viajero ante la aerolínea."""

    id_reserva: str
    localizador: str
    fecha_actualizacion: int


@dataclass(frozen=True, kw_only=True)
class ConfirmacionRechazada:
    """No se tomó ninguna plaza, y por qué; `fecha_actualizacion` en milisegundos desde 1970."""

    id_reserva: str
    motivo: str
    fecha_actualizacion: int


@dataclass(frozen=True, kw_only=True)
class ConfirmacionRevertida:
    """La reserva no tiene ninguna plaza tomada; `fecha_actualizacion` en milisegundos desde 1970."""

    id_reserva: str
    fecha_actualizacion: int


@dataclass(frozen=True, kw_only=True)
class EventosGds(EventoIntegracion):
    """Lo que las aerolíneas dicen de una reserva: exactamente una variante, la que nombra `type`."""

    reserva_confirmada: ReservaConfirmada | None = None
    confirmacion_rechazada: ConfirmacionRechazada | None = None
    confirmacion_revertida: ConfirmacionRevertida | None = None
