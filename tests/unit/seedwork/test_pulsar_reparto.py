"""Quién cede un carril, quién lo toma y a quién se da por ausente, según lo anotado."""

from __future__ import annotations

import pytest

from seedwork.infraestructura.brokers.pulsar import reparto as modulo
from seedwork.infraestructura.brokers.pulsar.reparto import Reparto

CARRILES = range(4)


def _visto_por(yo: str, **de: list[int]) -> Reparto:
    reparto = Reparto(yo)
    reparto.aplicar({quien: {str(carril): True for carril in suyos} for quien, suyos in de.items()}, {})
    return reparto


def test_quien_mas_tiene_cede_la_mitad_de_la_diferencia_a_quien_menos() -> None:
    assert _visto_por("a", a=[0, 1, 2, 3], b=[]).cesion() == ("b", 2)
    assert _visto_por("a", a=[0, 1], b=[2, 3], c=[]).cesion() is None  # le toca a b, que va detrás
    assert _visto_por("b", a=[0, 1], b=[2, 3], c=[]).cesion() == ("c", 1)


def test_no_se_cede_si_la_diferencia_es_de_uno_ni_si_los_demas_no_saben_de_mi() -> None:
    assert _visto_por("a", a=[0, 1], b=[2]).cesion() is None
    assert _visto_por("a", b=[0, 1, 2, 3]).cesion() is None


def test_lo_cedido_cuenta_como_de_quien_lo_va_a_tomar() -> None:
    reparto = _visto_por("a", a=[0, 1, 2, 3], b=[])
    reparto.aplicar({"a": {"2": True, "3": True}}, {"0": "b", "1": "b"})

    assert reparto.cesion() is None
    assert reparto.libres(CARRILES) == []


def test_lo_cedido_lo_prueba_quien_lo_espera_y_pasado_un_tiempo_cualquiera(monkeypatch: pytest.MonkeyPatch) -> None:
    de = {"a": {"2": True, "3": True}, "b": {}, "c": {}}
    vistos = {quien: Reparto(quien) for quien in de}
    for reparto in vistos.values():
        reparto.aplicar(de, {"0": "b", "1": "b"})

    assert vistos["b"].libres(CARRILES) == [0, 1]
    assert vistos["c"].libres(CARRILES) == []
    monkeypatch.setattr(modulo, "CESION_S", 0)
    assert vistos["c"].libres(CARRILES) == [0, 1]
    assert vistos["c"].ausentes([0]) == {"b"}


def test_si_pude_tomar_lo_que_otro_decia_tener_es_que_ya_no_esta() -> None:
    reparto = _visto_por("a", a=[0], b=[1, 2], c=[3])

    assert reparto.ausentes([0, 2]) == {"b"}


def test_un_carril_es_del_ultimo_que_lo_anoto() -> None:
    reparto = _visto_por("a", a=[0, 1], b=[2, 3])
    reparto.aplicar({"b": {"1": False, "2": True, "3": True}}, {})

    assert [reparto.dueno(carril) for carril in CARRILES] == ["a", "b", "b", "b"]
    reparto.aplicar({"b": None}, {})
    assert reparto.libres(CARRILES) == [1, 2, 3]


def test_esta_asentado_cuando_todos_se_atienden_y_nadie_tiene_de_mas() -> None:
    assert _visto_por("a", a=[0, 1], b=[2, 3]).asentado(4, 2)
    assert not _visto_por("a", a=[0], b=[1, 2, 3]).asentado(4, 1)
    abriendo = _visto_por("a", a=[0, 1])
    abriendo.aplicar({"b": {"2": True, "3": False}}, {})
    assert not abriendo.asentado(4, 2)
