"""Lo que otros piden a una reserva puede llegar dos veces, tarde o antes de tiempo."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from tests.unit.vuelos.fabrica import ID, SALIDA, en

from aeroalpes.modulos.vuelos.aplicacion.comandos.aprobar_reserva import AprobarReserva, aprobar_reserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.cancelar_reserva import CancelarReserva, cancelar_reserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.confirmar_producto import ConfirmarProducto, confirmar_producto
from aeroalpes.modulos.vuelos.aplicacion.comandos.registrar_pago import RegistrarPago, registrar_pago
from aeroalpes.modulos.vuelos.aplicacion.comandos.vencer_reserva import VencerReserva, vencer_reserva
from aeroalpes.modulos.vuelos.dominio.entidades import Reserva
from aeroalpes.modulos.vuelos.dominio.eventos import AprobacionFallida
from aeroalpes.modulos.vuelos.dominio.excepciones import PagoSinRegistrar, ReservaSinVencer
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


@pytest.mark.parametrize("estado", [E.APROBADA, E.CANCELADA])
def test_lo_acabado_no_vence_y_lo_confirmado_tarde_o_dos_veces_no_lo_cambia(estado: E) -> None:
    una = Una(en(estado))
    vencer_reserva(VencerReserva(id_reserva=ID, plazo_s=0), una, una)
    for _ in range(2):
        confirmar_producto(ConfirmarProducto(id_reserva=ID, producto="VUELOS"), una, una)
    assert una.reserva.estado is estado
    assert not una.reserva.tiene_eventos


def test_una_reserva_vence_cuando_pasa_su_plazo_y_no_antes() -> None:
    una = Una(en(E.PAGADA))
    with pytest.raises(ReservaSinVencer):
        vencer_reserva(VencerReserva(id_reserva=ID, plazo_s=0.1), una, una)
    vencer_reserva(VencerReserva(id_reserva=ID, plazo_s=0), una, una)
    assert (una.reserva.estado, una.reserva.motivo) == (E.CANCELADA, "La reserva no se completó en 0 s")
