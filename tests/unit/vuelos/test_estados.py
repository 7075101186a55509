"""Por qué estados pasa una reserva, y qué cuenta al pasar."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from tests.unit.vuelos.fabrica import CLIENTE, HORA, HOTEL, ID, SALIDA, VEHICULO, en, reserva

from aeroalpes.modulos.vuelos.dominio.entidades import Reserva
from aeroalpes.modulos.vuelos.dominio.eventos import ReservaAprobada, ReservaCancelada, ReservaPagada
from aeroalpes.modulos.vuelos.dominio.objetos_valor import EstadoReserva as E
from aeroalpes.modulos.vuelos.dominio.objetos_valor import Producto
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
    suya = en(desde)
    PASOS[hasta](suya)
    assert (suya.estado, suya.fecha_actualizacion, suya.fecha_creacion) == (hasta, LUEGO, SALIDA)
    (evento,) = suya.extraer_eventos()
    assert type(evento) is EVENTOS[hasta]
    assert (evento.id_reserva, evento.id_cliente, evento.fecha) == (ID, CLIENTE, LUEGO)


@pytest.mark.parametrize(("desde", "hasta"), sorted({(d, h) for d in E for h in PASOS} - PERMITIDOS))
def test_cualquier_otro_paso_se_rechaza_y_no_cambia_nada(desde: E, hasta: E) -> None:
    suya = en(desde)
    motivo = suya.motivo
    with pytest.raises(ReglaIncumplida, match=f"{desde} no puede pasar a {hasta}") as error:
        PASOS[hasta](suya)
    assert error.value.regla == "EstadoPermite"
    assert (suya.estado, suya.fecha_actualizacion, suya.motivo) == (desde, SALIDA, motivo)
    assert not suya.tiene_eventos


def test_una_cancelacion_dice_por_que() -> None:
    suya = en(E.PENDIENTE)
    suya.cancelar("el banco la rechazó", LUEGO)
    (evento,) = suya.extraer_eventos()
    assert suya.motivo == evento.motivo == "el banco la rechazó"


@pytest.mark.parametrize("orden", [*itertools.permutations(["pago", *Producto])])
def test_se_aprueba_sola_cuando_tiene_el_pago_y_todo_lo_que_lleva_llegue_en_el_orden_que_llegue(
    orden: tuple[str, ...],
) -> None:
    completa = reserva(hotel=HOTEL, vehiculo=VEHICULO)
    for n, que in enumerate(orden, start=1):
        completa.pagar(LUEGO) if que == "pago" else completa.confirmar(Producto(que), LUEGO)
        assert (completa.estado is E.APROBADA) is (n == len(orden))


def test_solo_espera_lo_que_lleva_y_sin_que_nadie_le_confirme_nada_no_se_aprueba_sola() -> None:
    sin_nada_mas = reserva()
    sin_nada_mas.confirmar(Producto.VUELOS, LUEGO)
    sin_nada_mas.pagar(LUEGO)
    assert sin_nada_mas.estado is E.APROBADA
    llevada = reserva()
    llevada.pagar(LUEGO)
    assert llevada.estado is E.PAGADA
