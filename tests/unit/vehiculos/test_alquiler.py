"""El alquiler: qué pasa con cada orden, y que lo último que se pide soltar queda suelto."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aeroalpes.modulos.vehiculos.dominio.alquiler import (
    Apartado,
    Apartar,
    Fase,
    Hecho,
    Negado,
    Orden,
    Soltar,
    Suelto,
    decidir,
    evolucionar,
)

APARTAR = Apartar(dias=3, edad_conductor=40)


def tras(*ordenes: Orden) -> tuple[Fase, list[Hecho]]:
    fase, todos = Fase.NINGUNO, list[Hecho]()
    for orden in ordenes:
        hechos = decidir(fase, orden)
        fase, todos = reduce(evolucionar, hechos, fase), [*todos, *hechos]
    return fase, todos


def test_apartar_y_soltar_pasan_una_vez_aunque_se_pidan_dos() -> None:
    assert tras(APARTAR, APARTAR, Soltar(), Soltar()) == (Fase.SUELTO, [Apartado(3), Suelto()])


def test_soltar_antes_de_apartar_se_recuerda_y_apartar_se_niega() -> None:
    fase, (suelto, negado) = tras(Soltar(), APARTAR)
    assert (fase, suelto) == (Fase.SUELTO, Suelto())
    assert isinstance(negado, Negado)


@pytest.mark.parametrize(
    "orden", [Apartar(dias=3, edad_conductor=20), Apartar(dias=0, edad_conductor=40), Apartar(31, 40)]
)
def test_un_conductor_muy_joven_o_unos_dias_que_no_se_alquilan_se_niegan(orden: Apartar) -> None:
    fase, (negado,) = tras(orden)
    assert fase is Fase.NEGADO
    assert isinstance(negado, Negado)
    assert tras(orden, Soltar())[0] is Fase.SUELTO


@given(ordenes=st.lists(st.sampled_from([APARTAR, Soltar()])))
def test_ninguna_secuencia_aparta_dos_coches_ni_deja_uno_tras_soltarlo(ordenes: list[Orden]) -> None:
    fase, hechos = tras(*ordenes)
    assert sum(isinstance(hecho, Apartado) for hecho in hechos) <= 1
    assert (fase is Fase.SUELTO) == (Soltar() in ordenes)
