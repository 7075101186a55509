"""Lo que la reserva rechaza y el tiempo puede arreglar."""

from __future__ import annotations

from seedwork.dominio.excepciones import ExcepcionDominio


class PagoSinRegistrar(ExcepcionDominio):
    """Se pidió aprobar una reserva cuyo pago todavía no consta."""


class ReservaSinVencer(ExcepcionDominio):
    """Se pidió dar por vencida una reserva que aún tiene tiempo."""
