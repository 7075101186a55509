"""Lo que otros piden a una reserva puede llegar dos veces, tarde o antes de tiempo."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from tests.unit.vuelos.fabrica import ID, SALIDA, en

from aeroalpes.modulos.vuelos.aplicacion.comandos.aprobar_reserva import AprobarReserva, aprobar_reserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.cancelar_reserva import CancelarReserva, cancelar_reserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.registrar_pago import RegistrarPago, registrar_pago
from aeroalpes.modulos.vuelos.dominio.entidades import Reserva
from aeroalpes.modulos.vuelos.dominio.eventos import AprobacionFallida
from aeroalpes.modulos.vuelos.dominio.excepciones import PagoSinRegistrar
from aeroalpes.modulos.vuelos.dominio.objetos_valor import EstadoReserva as E


class Una:
    """El repositorio y el reloj de una sola reserva."""

    def __init__(self, reserva: Reserva) -> None:
        self.reserva = reserva

    def obtener(self, id: UUID) -> Reserva:
        return self.reserva

    def guardar(self, agregado: Reserva) -> None: ...

    def ahora(self) -> Any:
        return SALIDA


PEDIR = {
    E.PAGADA: lambda una: registrar_pago(RegistrarPago(id_reserva=ID), una, una),
    E.APROBADA: lambda una: aprobar_reserva(AprobarReserva(id_reserva=ID), una, una),
    E.CANCELADA: lambda una: cancelar_reserva(CancelarReserva(id_reserva=ID, motivo="otro"), una, una),
}


@pytest.mark.parametrize(
    ("estado", "pedido"),
    [(e, e) for e in PEDIR] + [(E.APROBADA, E.PAGADA), (E.CANCELADA, E.PAGADA)],
)
def test_lo_que_ya_paso_o_ya_no_viene_al_caso_no_cambia_nada(estado: E, pedido: E) -> None:
    una = Una(en(estado))
    motivo = una.reserva.motivo
    PEDIR[pedido](una)
    assert (una.reserva.estado, una.reserva.motivo) == (estado, motivo)
    assert not una.reserva.tiene_eventos


def test_aprobar_antes_de_que_conste_el_pago_se_deja_para_despues() -> None:
    una = Una(en(E.PENDIENTE))
    with pytest.raises(PagoSinRegistrar):
        PEDIR[E.APROBADA](una)
    PEDIR[E.PAGADA](una)
    PEDIR[E.APROBADA](una)
    assert una.reserva.estado is E.APROBADA


def test_aprobar_una_reserva_cancelada_responde_que_no_y_la_deja_cancelada() -> None:
    una = Una(en(E.CANCELADA))
    PEDIR[E.APROBADA](una)
    (evento,) = una.reserva.extraer_eventos()
    assert isinstance(evento, AprobacionFallida)
    assert (evento.estado, evento.motivo) == (E.CANCELADA, "La reserva ya está cancelada")
    assert una.reserva.estado is E.CANCELADA
