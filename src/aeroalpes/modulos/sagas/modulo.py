"""El índice de sagas: la de una reserva, quién despacha lo que manda y quién le cuenta lo que pasa."""

from __future__ import annotations

from aeroalpes.modulos.gds.infraestructura.schema.v1 import comandos as comandos_gds
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import comandos as comandos_pago
from aeroalpes.modulos.sagas.aplicacion.comandos import (
    AprobarReserva,
    CancelarReserva,
    ConfirmarReserva,
    PagarReserva,
    RevertirConfirmacion,
    RevertirPago,
)
from aeroalpes.modulos.sagas.aplicacion.reservar import RESERVAR
from aeroalpes.modulos.sagas.infraestructura.consumidores import (
    al_pasar_algo_a_la_reserva,
    al_pasar_algo_al_pago,
    al_responder_las_aerolineas,
)
from aeroalpes.modulos.sagas.infraestructura.despachadores import (
    Remitente,
    aprobar_reserva,
    cancelar_reserva,
    confirmar_reserva,
    pagar_reserva,
    revertir_confirmacion,
    revertir_pago,
)
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos as comandos_reserva
from seedwork.aplicacion.modulo import Modulo

SAGAS = Modulo(
    nombre="sagas",
    paquete=__package__,
    sagas=[RESERVAR],
    comandos={
        PagarReserva: pagar_reserva,
        RevertirPago: revertir_pago,
        ConfirmarReserva: confirmar_reserva,
        RevertirConfirmacion: revertir_confirmacion,
        AprobarReserva: aprobar_reserva,
        CancelarReserva: cancelar_reserva,
    },
    puertos={Remitente: Remitente},
    publica={
        comandos_pago.TOPICO: [comandos_pago.PagarReserva, comandos_pago.RevertirPago],
        comandos_gds.TOPICO: [comandos_gds.ConfirmarReserva, comandos_gds.RevertirConfirmacion],
        comandos_reserva.TOPICO: [comandos_reserva.AprobarReserva, comandos_reserva.CancelarReserva],
    },
    consumidores=[al_pasar_algo_a_la_reserva, al_pasar_algo_al_pago, al_responder_las_aerolineas],
)
