"""El registro del tópico `comandos-pago` (clave: id de la reserva)."""

from __future__ import annotations

from dataclasses import dataclass

from seedwork.infraestructura.schema.v1.mensajes import ComandoIntegracion

TOPICO = "comandos-pago"


@dataclass(frozen=True, kw_only=True)
class PagarReserva:
    """Cobrar una reserva, una sola vez por reserva; `monto` en centavos y `medio` la ficha que dio el cliente."""

    id_reserva: str
    id_cliente: str | None = None
    monto: int
    medio: str | None = None


@dataclass(frozen=True, kw_only=True)
class RevertirPago:
    """Dejar la reserva sin cobrar: se devuelve lo cobrado y, si aún no se cobró, ya no se cobrará."""

    id_reserva: str
    motivo: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComandosPago(ComandoIntegracion):
    """Lo que se le pide a pagos: exactamente una variante, la que nombra `type`."""

    pagar_reserva: PagarReserva | None = None
    revertir_pago: RevertirPago | None = None
