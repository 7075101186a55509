"""El índice de sagas: la de una reserva, quién despacha lo que manda y quién le cuenta lo que pasa."""

from __future__ import annotations

from dataclasses import replace

from aeroalpes.modulos.gds.infraestructura.schema.v1 import comandos as comandos_gds
from aeroalpes.modulos.hoteles.infraestructura.schema.v1 import comandos as comandos_hotel
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import comandos as comandos_pago
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
from aeroalpes.modulos.sagas.aplicacion.reservar import RESERVAR, RESERVAR_V1
from aeroalpes.modulos.sagas.infraestructura.consumidores import (
    al_crearse_una_reserva,
    al_pasar_algo_a_la_reserva,
    al_pasar_algo_al_pago,
    al_responder_el_hotel,
    al_responder_las_aerolineas,
    al_responder_vehiculos,
)
from aeroalpes.modulos.sagas.infraestructura.despachadores import (
    Remitente,
    aprobar_reserva,
    cancelar_reserva,
    confirmar_reserva,
    liberar_hotel,
    liberar_vehiculo,
    pagar_reserva,
    reservar_hotel,
    reservar_vehiculo,
    revertir_confirmacion,
    revertir_pago,
)
from aeroalpes.modulos.vehiculos.infraestructura.schema.v1 import comandos as comandos_vehiculo
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos as comandos_reserva
from seedwork.aplicacion.modulo import Modulo

SAGAS = Modulo(
    nombre="sagas",
    paquete=__package__,
    sagas=[RESERVAR, RESERVAR_V1],
    comandos={
        PagarReserva: pagar_reserva,
        RevertirPago: revertir_pago,
        ConfirmarReserva: confirmar_reserva,
        RevertirConfirmacion: revertir_confirmacion,
        ReservarHotel: reservar_hotel,
        LiberarHotel: liberar_hotel,
        ReservarVehiculo: reservar_vehiculo,
        LiberarVehiculo: liberar_vehiculo,
        AprobarReserva: aprobar_reserva,
        CancelarReserva: cancelar_reserva,
    },
    puertos={Remitente: Remitente},
    publica={
        comandos_pago.TOPICO: [comandos_pago.PagarReserva, comandos_pago.RevertirPago],
        comandos_gds.TOPICO: [comandos_gds.ConfirmarReserva, comandos_gds.RevertirConfirmacion],
        comandos_hotel.TOPICO: [comandos_hotel.ReservarHotel, comandos_hotel.LiberarHotel],
        comandos_vehiculo.TOPICO: [comandos_vehiculo.ReservarVehiculo, comandos_vehiculo.LiberarVehiculo],
        comandos_reserva.TOPICO: [comandos_reserva.AprobarReserva, comandos_reserva.CancelarReserva],
    },
    consumidores=[
        al_crearse_una_reserva,
        al_pasar_algo_a_la_reserva,
        al_pasar_algo_al_pago,
        al_responder_las_aerolineas,
        al_responder_el_hotel,
        al_responder_vehiculos,
    ],
)
SAGAS_SIN_EMPEZAR = replace(SAGAS, sagas=[replace(saga, empieza=False) for saga in SAGAS.sagas])
"""Cuando las reservas se llevan solas: las sagas que hay acaban, y no empieza ninguna."""
