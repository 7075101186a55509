"""De la demanda al precio."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aeroalpes.modulos.precios_dinamicos.dominio.rutas import TARIFA_BASE, TOPE, Ruta, cotizar
from seedwork.dominio.excepciones import ReglaIncumplida


def test_sin_demanda_se_paga_la_tarifa_base_y_cada_reserva_la_sube() -> None:
    assert [cotizar(demanda) for demanda in (0, 1, 10)] == [TARIFA_BASE, TARIFA_BASE + 240, TARIFA_BASE + 2400]


@given(demanda=st.integers(0, 10**9))
def test_mas_demanda_nunca_abarata_y_el_precio_tiene_tope(demanda: int) -> None:
    assert TARIFA_BASE <= cotizar(demanda) <= cotizar(demanda + 1) <= TARIFA_BASE * TOPE


def test_una_ruta_se_reconoce_se_escriba_como_se_escriba() -> None:
    assert Ruta.entre(" bog", "jfk ") == Ruta("BOG", "JFK") != Ruta("JFK", "BOG")


@pytest.mark.parametrize(("origen", "destino"), [("BOG", "bog"), ("", "BOG"), ("BOG", "  ")])
def test_una_ruta_va_de_un_aeropuerto_a_otro(origen: str, destino: str) -> None:
    with pytest.raises(ReglaIncumplida) as error:
        Ruta.entre(origen, destino)
    assert error.value.regla == "RutaEntreDosAeropuertos"
