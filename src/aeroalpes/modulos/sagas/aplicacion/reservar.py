"""La saga de una reserva: se paga, se confirma con las aerolíneas, se toma lo que además se quiera y se aprueba.

O se deshace lo hecho y se cancela. La versión 1 no sabía de hoteles ni de vehículos; sigue listada para que acaben con
ella las que con ella empezaron.
"""

from __future__ import annotations

from dataclasses import replace

from aeroalpes.modulos.sagas.aplicacion.comandos import (
    AprobarReserva,
    CancelarReserva,
    ConfirmarReserva,
    LiberarHotel,
    LiberarVehiculo,
    PagarReserva,
    ReservarHotel,
    ReservarVehiculo,
    RevertirConfirmacion,
    RevertirPago,
)
from aeroalpes.modulos.sagas.aplicacion.eventos import (
    AprobacionFallida,
    ConfirmacionRechazada,
    ConfirmacionRevertida,
    HotelLiberado,
    HotelRechazado,
    HotelReservado,
    PagoRechazado,
    PagoRevertido,
    ReservaAprobada,
    ReservaConfirmada,
    ReservaCreada,
    ReservaPagada,
    VehiculoLiberado,
    VehiculoRechazado,
    VehiculoReservado,
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
HOTEL = Paso(
    ReservarHotel,
    exito=HotelReservado,
    fallo=HotelRechazado,
    compensacion=LiberarHotel,
    compensado=HotelLiberado,
    plazo_s=30,
    si="hotel",
)
VEHICULO = Paso(
    ReservarVehiculo,
    exito=VehiculoReservado,
    fallo=VehiculoRechazado,
    compensacion=LiberarVehiculo,
    compensado=VehiculoLiberado,
    plazo_s=30,
    si="vehiculo",
)
# Sin plazo: vuelos siempre responde, y hacerlo no se puede deshacer.
APROBAR = Paso(AprobarReserva, exito=ReservaAprobada, fallo=AprobacionFallida)

RESERVAR = Saga(
    "reservar",
    inicia=ReservaCreada,
    clave="id_reserva",
    pasos=[PAGAR, CONFIRMAR, HOTEL, VEHICULO, APROBAR],
    al_fallar=CancelarReserva,
    version=2,
)
RESERVAR_V1 = replace(RESERVAR, pasos=[PAGAR, CONFIRMAR, APROBAR], version=1)
