"""Lo que un consumidor de Kafka tiene en memoria, sin Kafka: mensajes del cliente, hechos a mano."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from confluent_kafka import Message
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from seedwork.infraestructura.brokers import Entrega
from seedwork.infraestructura.brokers.kafka.asiento import Asiento, leer
from seedwork.infraestructura.brokers.kafka.reparto import Reparto

TOPICO = "t"


def _brutos(desde: int, cuantos: int, *, claves: int = 3, numero: int = 0) -> list[Any]:
    return [
        Message(topic=TOPICO, partition=numero, offset=o, key=f"{numero}-{o % claves}".encode(), value=b"x" * 10)
        for o in range(desde, desde + cuantos)
    ]


def _reparto(*, particiones: int = 1) -> Reparto:
    reparto = Reparto("yo", "reintentos")
    reparto.asignar((TOPICO, n, Asiento(0)) for n in range(particiones))
    return reparto


def _guardar(reparto: Reparto) -> list[tuple[int, str]]:
    lote = reparto.por_guardar()
    reparto.guardado(lote)
    return [(base, metadatos) for _, base, metadatos, _ in lote]


def test_tras_un_lote_entero_lo_siguiente_queda_guardado_como_dado_aun_sin_leer_y_no_espera() -> None:
    reparto = _reparto()
    reparto.entrar(_brutos(0, 10))
    primeras, hay_que_guardar = reparto.tomar(10, ())
    assert hay_que_guardar
    reparto.terminar(primeras)
    [(base, metadatos)] = _guardar(reparto)
    reparto.entrar(_brutos(10, 20))

    assert base == 10
    assert leer(base, metadatos).sospechosas == [(10, 30)]
    assert not reparto.tomar(10, ())[1]


def test_lo_que_se_da_mientras_se_esta_guardando_que_se_dara_espera_a_que_lo_este() -> None:
    reparto = _reparto()
    reparto.entrar(_brutos(0, 40))
    reparto.tomar(10, ())
    en_camino = reparto.por_guardar()

    assert reparto.tomar(10, ())[1]
    reparto.guardado(en_camino)
    assert not reparto.tomar(5, ())[1]


def test_lo_leido_y_no_dado_de_una_particion_que_se_va_se_vuelve_a_leer_si_vuelve() -> None:
    reparto = _reparto()
    reparto.entrar(_brutos(0, 40))
    reparto.tomar(10, ())
    _guardar(reparto)
    reparto.perder([(TOPICO, 0)])

    assert not reparto.ocupado
    assert reparto.asignar([(TOPICO, 0, Asiento(0, "yo"))]) == [(TOPICO, 0, 10)]


def test_un_topico_borrado_y_vuelto_a_crear_se_lee_desde_cero_y_lo_de_antes_no_ocupa() -> None:
    reparto = _reparto()
    reparto.entrar(_brutos(0, 9))
    viejas, _ = reparto.tomar(2, ())
    reparto.entrar([*_brutos(9, 2), *_brutos(0, 3)])
    nuevas, _ = reparto.tomar(10, ())
    reparto.terminar([*viejas, *nuevas])

    assert [registro.offset for registro in nuevas] == [0, 1, 2]
    assert [base for base, _ in _guardar(reparto)] == [3]
    assert not reparto.ocupado


class Consumidor(RuleBasedStateMachine):
    """Lea, dé, termine, devuelva o pierda lo que sea y cuando sea: cada mensaje se da, y los de una clave en orden."""

    def __init__(self) -> None:
        super().__init__()
        self.reparto = _reparto(particiones=2)
        self.publicados = [0, 0]
        self.leidos = [0, 0]
        self.en_mano: list[Entrega] = []
        self.terminados: dict[str, list[int]] = defaultdict(list)

    @rule(numero=st.integers(0, 1), cuantos=st.integers(1, 90), repetidos=st.integers(0, 5))
    def leer(self, numero: int, cuantos: int, repetidos: int) -> None:
        desde = max(min(1, self.leidos[numero]), self.leidos[numero] - repetidos)  # el 0 repetido es un tópico nuevo
        self.reparto.entrar(_brutos(desde, self.leidos[numero] + cuantos - desde, numero=numero))
        self.leidos[numero] += cuantos
        self.publicados[numero] = max(self.publicados[numero], self.leidos[numero])

    @rule(maximo=st.integers(1, 80), excepto=st.sets(st.sampled_from(["0-0", "1-1"])))
    def tomar(self, maximo: int, excepto: set[str]) -> None:
        registros, _ = self.reparto.tomar(maximo, excepto)
        assert len(registros) <= maximo
        assert not excepto & {registro.clave for registro in registros}
        self.en_mano += [registro.entrega() for registro in registros]

    @rule(cuantas=st.integers(1, 80))
    def terminar(self, cuantas: int) -> None:
        hechas, self.en_mano = self.en_mano[:cuantas], self.en_mano[cuantas:]
        for entrega in hechas:
            self.terminados[entrega.mensaje.clave or ""].append(entrega.referencia.offset)
        self.reparto.terminar([entrega.referencia for entrega in hechas])

    @rule()
    def devolver(self) -> None:
        self.reparto.devolver(self.en_mano)
        self.en_mano = []

    @rule()
    def perder_y_recuperar(self) -> None:
        self.devolver()
        _guardar(self.reparto)
        self.reparto.perder([(TOPICO, 0), (TOPICO, 1)])
        for _, numero, leido in self.reparto.asignar((TOPICO, n, Asiento(0, "yo")) for n in (0, 1)):
            self.leidos[numero] = leido

    @invariant()
    def lo_guardado_no_pasa_de_lo_terminado(self) -> None:
        terminados = {(clave[0], offset) for clave, offsets in self.terminados.items() for offset in offsets}
        for particion, base, _, _ in self.reparto.por_guardar(final=True):
            assert all((str(particion.numero), offset) in terminados for offset in range(base))

    def teardown(self) -> None:
        for numero in (0, 1):
            if faltan := self.publicados[numero] - self.leidos[numero]:
                self.leer(numero, faltan, 0)
        while self.en_mano or self.reparto.ocupado:
            self.terminar(len(self.en_mano))
            self.tomar(80, set())
        for numero, cuantos in enumerate(self.publicados):
            for resto in range(3):
                assert self.terminados[f"{numero}-{resto}"] == list(range(resto, cuantos, 3))
        assert not self.reparto.lleno
        assert self.reparto._bytes_vivos == self.reparto._bytes_en_cola == self.reparto._en_cola == 0


TestConsumidor = Consumidor.TestCase
TestConsumidor.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
