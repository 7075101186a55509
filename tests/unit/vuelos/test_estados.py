"""Por qué estados pasa una reserva, y qué cuenta al pasar."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.unit.vuelos.fabrica import CLIENTE, HORA, ID, SALIDA, en

from aeroalpes.modulos.vuelos.dominio.entidades import Reserva
from aeroalpes.modulos.vuelos.dominio.eventos import ReservaAprobada, ReservaCancelada, ReservaPagada
from aeroalpes.modulos.vuelos.dominio.objetos_valor import EstadoReserva as E
from seedwork.dominio.excepciones import ReglaIncumplida

LUEGO = SALIDA + HORA
PASOS: dict[E, Callable[[Reserva], None]] = {
    E.PAGADA: lambda reserva: reserva.pagar(LUEGO),
    E.APROBADA: lambda reserva: reserva.aprobar(LUEGO),
    E.CANCELADA: lambda reserva: reserva.cancelar("sin cupo", LUEGO),
}
PERMITIDOS = {
    (E.PENDIENTE, E.PAGADA),
    (E.PENDIENTE, E.CANCELADA),
    (E.PAGADA, E.APROBADA),
    (E.PAGADA, E.CANCELADA),
    (E.APROBADA, E.CANCELADA),
}
EVENTOS = {E.PAGADA: ReservaPagada, E.APROBADA: ReservaAprobada, E.CANCELADA: ReservaCancelada}


@pytest.mark.parametrize(("desde", "hasta"), sorted(PERMITIDOS))
def test_un_paso_permitido_cambia_el_estado_y_lo_cuenta(desde: E, hasta: E) -> None:
    reserva = en(desde)
    PASOS[hasta](reserva)
    assert (reserva.estado, reserva.fecha_actualizacion, reserva.fecha_creacion) == (hasta, LUEGO, SALIDA)
    (evento,) = reserva.extraer_eventos()
    assert type(evento) is EVENTOS[hasta]
    assert (evento.id_reserva, evento.id_cliente, evento.fecha) == (ID, CLIENTE, LUEGO)


@pytest.mark.parametrize(("desde", "hasta"), sorted({(d, h) for d in E for h in PASOS} - PERMITIDOS))
def test_cualquier_otro_paso_se_rechaza_y_no_cambia_nada(desde: E, hasta: E) -> None:
    reserva = en(desde)
    motivo = reserva.motivo
    with pytest.raises(ReglaIncumplida, match=f"{desde} no puede pasar a {hasta}") as error:
        PASOS[hasta](reserva)
    assert error.value.regla == "EstadoPermite"
    assert (reserva.estado, reserva.fecha_actualizacion, reserva.motivo) == (desde, SALIDA, motivo)
    assert not reserva.tiene_eventos


def test_una_cancelacion_dice_por_que() -> None:
    reserva = en(E.PENDIENTE)
    reserva.cancelar("el banco la rechazó", LUEGO)
    (evento,) = reserva.extraer_eventos()
    assert reserva.motivo == evento.motivo == "el banco la rechazó"
