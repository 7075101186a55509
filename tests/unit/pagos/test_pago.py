"""El pago de una reserva: se cobra una vez, y si se revierte no queda nada cobrado, venga lo que venga y como venga."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.pagos.mundo import HOY, MONTO, RESERVA, Humor, Mundo

from aeroalpes.modulos.pagos.dominio.entidades import ANULADO, EstadoPago, Pago
from aeroalpes.modulos.pagos.dominio.excepciones import DevolucionIncompleta
from aeroalpes.modulos.pagos.infraestructura.mapeadores import (
    a_instantanea,
    de_instantanea,
    evento_a_json,
    evento_de_json,
)
from seedwork.dominio.excepciones import ReglaIncumplida


def test_un_cobro_aceptado_se_anota_y_pedirlo_otra_vez_no_cobra_dos() -> None:
    mundo = Mundo()
    for _ in range(3):
        mundo.pagar()
        mundo.atender()
    assert (mundo.pago.estado, mundo.pago.saldo) == (EstadoPago.COBRADO, MONTO)
    assert mundo.tipos == ["CobroSolicitado", "CobroAceptado"]


def test_un_cobro_rechazado_dice_por_que_y_no_deja_saldo() -> None:
    mundo = Mundo()
    mundo.pasarela.humor = "rechaza"
    mundo.pagar()
    mundo.atender()
    assert (mundo.pago.estado, mundo.pago.saldo, mundo.pago.motivo) == (EstadoPago.RECHAZADO, 0, "no hay fondos")


@pytest.mark.parametrize("monto", [0, -1])
def test_no_se_cobra_un_monto_que_no_sea_mayor_que_cero(monto: int) -> None:
    mundo = Mundo()
    with pytest.raises(ReglaIncumplida) as error:
        mundo.pagar(monto)
    assert error.value.regla == "MontoPositivo"
    assert mundo.tipos == []


def test_revertir_lo_cobrado_lo_devuelve_todo_una_vez() -> None:
    mundo = Mundo()
    mundo.pagar()
    mundo.atender()
    for _ in range(2):
        mundo.revertir()
        mundo.atender()
    assert (mundo.pago.estado, mundo.pago.saldo, mundo.pago.devuelto) == (EstadoPago.REVERTIDO, 0, MONTO)
    assert mundo.tipos == ["CobroSolicitado", "CobroAceptado", "ReversionSolicitada", "PagoRevertido"]


def test_revertir_antes_de_cobrar_se_recuerda_y_el_cobro_se_niega_sin_llamar_a_la_pasarela() -> None:
    mundo = Mundo()
    mundo.revertir()
    mundo.pagar()
    assert mundo.tipos == ["PagoRevertido", "CobroRechazado"]
    assert mundo.guardados[1].motivo == ANULADO  # type: ignore[attr-defined]
    assert mundo.por_llamar == []
    assert mundo.pago.estado is EstadoPago.REVERTIDO


def test_un_cobro_que_se_acepta_cuando_ya_se_pidio_revertir_se_devuelve_y_no_se_da_por_pagado() -> None:
    mundo = Mundo()
    mundo.pagar()
    mundo.revertir()
    mundo.atender()
    assert "CobroAceptado" not in mundo.tipos
    assert mundo.tipos[-1] == "PagoRevertido"
    assert (mundo.pago.saldo, mundo.pago.devuelto) == (0, MONTO)


def test_si_la_pasarela_calla_el_cobro_queda_en_duda_y_revertir_devuelve_lo_que_hubiera_cobrado() -> None:
    mundo = Mundo()
    mundo.pasarela.humor = "cobra y calla"
    mundo.pagar()
    mundo.atender()
    assert (mundo.pago.estado, mundo.pago.saldo) == (EstadoPago.EN_DUDA, 0)
    assert mundo.pasarela.neto(str(RESERVA)) == MONTO
    mundo.revertir()
    mundo.atender()
    assert (mundo.pago.estado, mundo.pago.saldo, mundo.pago.devuelto) == (EstadoPago.REVERTIDO, 0, MONTO)
    assert mundo.pasarela.neto(str(RESERVA)) == 0


def test_un_cobro_en_duda_se_puede_preguntar_otra_vez_con_la_misma_clave() -> None:
    mundo = Mundo()
    mundo.pasarela.humor = "cobra y calla"
    mundo.pagar()
    mundo.atender()
    mundo.pasarela.humor = "acepta"
    mundo.pagar()
    mundo.atender()
    assert mundo.pago.saldo == mundo.pasarela.neto(str(RESERVA)) == MONTO


def test_una_devolucion_de_menos_no_se_da_por_buena() -> None:
    mundo = Mundo()
    mundo.pagar()
    mundo.atender()
    pago = mundo.pago
    pago.revertir(None, HOY)
    with pytest.raises(DevolucionIncompleta):
        pago.anotar_devolucion(MONTO - 1, HOY)
    assert (pago.estado, pago.saldo) == (EstadoPago.REVIRTIENDO, MONTO)


_humores = st.sampled_from(get_args(Humor))
_pasos = st.one_of(
    st.tuples(st.just("pagar")),
    st.tuples(st.just("revertir")),
    st.tuples(st.just("llamar"), _humores, st.integers(0, 2), st.integers(1, 2)),
)


@settings(max_examples=300, deadline=None)
@given(pasos=st.lists(_pasos, max_size=14), ultimo=_humores)
def test_ninguna_secuencia_de_pedidos_cobra_de_mas_ni_se_queda_con_lo_revertido(
    pasos: list[tuple[object, ...]], ultimo: Humor
) -> None:
    """Con pedidos repetidos y desordenados, respuestas perdidas, y procesos que mueren tras llamar a la pasarela."""
    mundo = Mundo()
    revertido = False
    for paso, *argumentos in pasos:
        if paso == "llamar":
            mundo.pasarela.humor, n, veces = argumentos  # type: ignore[assignment]
            mundo.llamar(n, veces)  # type: ignore[arg-type]
        else:
            revertido |= paso == "revertir"
            getattr(mundo, str(paso))()
        assert 0 <= mundo.pasarela.neto(str(RESERVA)) <= MONTO
    mundo.pasarela.humor = ultimo
    mundo.atender()
    pago, neto = mundo.pago, mundo.pasarela.neto(str(RESERVA))
    if revertido:
        assert (pago.estado, pago.saldo, neto) == (EstadoPago.REVERTIDO, 0, 0)
    elif pago.estado is not EstadoPago.EN_DUDA:
        assert pago.saldo == neto
        assert (neto == MONTO) == (pago.estado is EstadoPago.COBRADO)


@settings(max_examples=60, deadline=None)
@given(pasos=st.lists(st.sampled_from(["pagar", "revertir", "llamar"]), max_size=10), humor=_humores)
def test_un_pago_se_rehace_igual_de_sus_eventos_y_de_cualquier_instantanea(pasos: list[str], humor: Humor) -> None:
    mundo = Mundo()
    mundo.pasarela.humor = humor
    for paso in pasos:
        getattr(mundo, paso)()
    guardados = [evento_de_json(*evento_a_json(evento)) for evento in mundo.guardados]
    assert guardados == mundo.guardados
    parcial = Pago(id=RESERVA)
    for version, evento in enumerate(guardados):
        parcial = de_instantanea(RESERVA, version, a_instantanea(parcial))
        parcial.aplicar(evento)
    assert a_instantanea(parcial) == a_instantanea(mundo.pago)
