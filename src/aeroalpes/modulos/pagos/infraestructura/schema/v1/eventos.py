"""El registro del tópico `eventos-pago` (clave: id de la reserva)."""

from __future__ import annotations

from dataclasses import dataclass

from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion

TOPICO = "eventos-pago"


@dataclass(frozen=True, kw_only=True)
class ReservaPagada:
    """Se cobró; `monto` en centavos y `fecha_actualizacion` en milisegundos desde 1970."""

    id_reserva: str
    id_cliente: str | None = None
    monto: int
    fecha_actualizacion: int


@dataclass(frozen=True, kw_only=True)
class PagoRechazado:
    """No se cobró ni se cobrará, y por qué; `fecha_actualizacion` en milisegundos desde 1970."""

    id_reserva: str
    id_cliente: str | None = None
    motivo: str
    fecha_actualizacion: int


@dataclass(frozen=True, kw_only=True)
class PagoRevertido:
    """No queda nada cobrado; `monto` es lo que se devolvió, en centavos (0 si no se había cobrado)."""

    id_reserva: str
    id_cliente: str | None = None
    monto: int
    fecha_actualizacion: int


@dataclass(frozen=True, kw_only=True)
class EventosPago(EventoIntegracion):
    """Lo que le pasa al pago de una reserva: exactamente una variante, la que nombra `type`."""

    reserva_pagada: ReservaPagada | None = None
    pago_rechazado: PagoRechazado | None = None
    pago_revertido: PagoRevertido | None = None
