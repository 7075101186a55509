"""Las cuentas de quien reparte en RabbitMQ, sin RabbitMQ: la ventana y los acuses."""

from __future__ import annotations

import random
from typing import Any

import pytest
from aiormq.abc import DeliveredMessage
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from seedwork.infraestructura.brokers.rabbitmq import ventana as modulo
from seedwork.infraestructura.brokers.rabbitmq.acuses import Acuses
from seedwork.infraestructura.brokers.rabbitmq.formato import CLAVE, a_mensaje
from seedwork.infraestructura.brokers.rabbitmq.topologia import espera_redonda_ms
from seedwork.infraestructura.brokers.rabbitmq.ventana import Ficha, Ventana


def _crudo(cuerpo: bytes, clave: str | None) -> DeliveredMessage:
    canal: Any = None
    return DeliveredMessage(
        delivery=Basic.Deliver("c", 1, False, "e", "t"),
        header=ContentHeader(properties=Basic.Properties(headers={CLAVE: clave}, message_id=cuerpo.decode())),
        body=cuerpo,
        channel=canal,
    )


def _llenar(ventana: Ventana, *claves: str | None, desde: int = 1, vuelta: bool = False) -> list[Ficha]:
    fichas = []
    for orden, clave in enumerate(claves, desde):
        crudo = _crudo(str(orden).encode(), clave)
        fichas.append(Ficha(crudo, a_mensaje(crudo), 0, False, ventana, orden))
        ventana.llegar(fichas[-1], vuelta=vuelta)
    return fichas


def _ordenes(fichas: list[Ficha]) -> list[int]:
    return [ficha.orden for ficha in fichas]


def test_lo_de_una_clave_en_manos_de_uno_no_se_da_a_otro() -> None:
    ventana = Ventana()
    primera, *_ = _llenar(ventana, "k", "k", None, "j")

    assert _ordenes(ventana.tomar("uno", 1, ())) == [1]
    assert _ordenes(ventana.tomar("otro", 9, ())) == [3, 4]
    ventana.terminar("uno", primera)
    assert _ordenes(ventana.tomar("otro", 9, ())) == [2]


def test_lo_devuelto_vuelve_a_su_sitio() -> None:
    ventana = Ventana()
    _llenar(ventana, "k", "k", "j", "k")
    tomadas = ventana.tomar("uno", 3, ())
    ventana.devolver("uno", reversed(tomadas))

    assert _ordenes(ventana.tomar("otro", 9, ())) == [1, 2, 3, 4]


def test_lo_de_un_muerto_queda_libre_y_es_sospechoso() -> None:
    ventana = Ventana()
    _llenar(ventana, "k", "k")
    ventana.tomar("uno", 1, ())
    ventana.soltar("uno")

    assert [ficha.sospechosa for ficha in ventana.tomar("otro", 9, ())] == [True, False]


def test_lo_reclamado_es_de_quien_lo_tenia_y_su_clave_tambien() -> None:
    vieja, nueva = Ventana(), Ventana()
    _llenar(vieja, "k", "k")
    [tenida] = vieja.tomar("uno", 1, ())
    for miembro, tengo in vieja.tenencias().items():
        nueva.reclamar(miembro, tengo)
    _llenar(nueva, "k", "k", vuelta=True)

    assert nueva.tomar("otro", 9, ()) == []
    suya = nueva.buscar("uno", tenida.huella)
    assert suya is not None
    assert nueva.terminar("uno", suya)
    assert _ordenes(nueva.tomar("otro", 9, ())) == [2]


def test_lo_que_no_cabe_se_vacia_y_nada_se_da_antes_que_ello(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modulo, "PRESUPUESTO_BYTES", 2)
    ventana = Ventana()
    fichas = _llenar(ventana, None, None, None, None)

    assert [ficha.vacia for ficha in fichas] == [False, False, True, True]
    assert _ordenes(ventana.tomar("uno", 9, ())) == [1, 2]
    assert not ventana.tomar("uno", 9, ())
    assert ventana.faltan


@given(st.lists(st.integers(1, 200), min_size=1), st.integers(0, 2**16))
def test_cada_entrega_se_acusa_una_vez_y_solo_con_las_anteriores_terminadas(lotes: list[int], semilla: int) -> None:
    azar = random.Random(semilla)  # noqa: S311 - repetible
    acuses, total = Acuses(), sum(lotes)
    for etiqueta in range(1, total + 1):
        acuses.llega(etiqueta)
    orden = list(range(1, total + 1))
    azar.shuffle(orden)
    terminadas: set[int] = set()
    pendientes = set(orden)  # como las lleva RabbitMQ
    for cuantas in lotes:
        lote, orden = orden[:cuantas], orden[cuantas:]
        terminadas |= set(lote)
        for etiqueta, todas in acuses.terminar(lote):
            acusadas = {e for e in pendientes if e <= etiqueta} if todas else {etiqueta}
            assert etiqueta in pendientes, "RabbitMQ cerraría el canal: ya estaba acusada"
            assert acusadas <= terminadas
            pendientes -= acusadas
        assert pendientes == set(orden)


@pytest.mark.parametrize(
    ("espera_s", "ms"), [(0.001, 500), (0.5, 500), (1.5, 1500), (10, 10_000), (10.2, 10_500), (61.2, 62_000)]
)
def test_la_espera_se_redondea_hacia_arriba_y_como_mucho_un_segundo(espera_s: float, ms: int) -> None:
    assert espera_redonda_ms(espera_s) == ms
