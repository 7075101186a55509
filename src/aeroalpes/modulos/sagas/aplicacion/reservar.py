"""La saga de una reserva: se paga, se confirma con las aerolíneas y se aprueba; o se deshace y se cancela."""

from __future__ import annotations

from aeroalpes.modulos.sagas.aplicacion.comandos import (
    AprobarReserva,
    CancelarReserva,
    ConfirmarReserva,
    PagarReserva,
    RevertirConfirmacion,
    RevertirPago,
)
from aeroalpes.modulos.sagas.aplicacion.eventos import (
    AprobacionFallida,
    ConfirmacionRechazada,
    ConfirmacionRevertida,
    PagoRechazado,
    PagoRevertido,
    ReservaAprobada,
    ReservaConfirmada,
    ReservaCreada,
    ReservaPagada,
)
from seedwork.aplicacion.sagas.definicion import Paso, Saga

PAGAR = Paso(
    PagarReserva,
    exito=ReservaPagada,
    fallo=PagoRechazado,
    compensacion=RevertirPago,
    compensado=PagoRevertido,
    plazo_s=30,
)
CONFIRMAR = Paso(
    ConfirmarReserva,
    exito=ReservaConfirmada,
    fallo=ConfirmacionRechazada,
    compensacion=RevertirConfirmacion,
    compensado=ConfirmacionRevertida,
    plazo_s=30,
)
# Sin plazo: vuelos siempre responde, y hacerlo no se puede deshacer.
APROBAR = Paso(AprobarReserva, exito=ReservaAprobada, fallo=AprobacionFallida)

RESERVAR = Saga(
    "reservar",
    inicia=ReservaCreada,
    clave="id_reserva",
    pasos=[PAGAR, CONFIRMAR, APROBAR],
    al_fallar=CancelarReserva,
)
