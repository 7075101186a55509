"""Cómo salen los lotes hacia Kafka, con un productor que acusa cuando la prueba quiere."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

import pytest
from confluent_kafka import KafkaError

from seedwork.infraestructura.brokers import ErrorBroker, Mensaje
from seedwork.infraestructura.brokers.kafka import publicador
from seedwork.infraestructura.brokers.kafka.cliente import Cliente
from seedwork.infraestructura.brokers.kafka.configuracion import Configuracion
from seedwork.infraestructura.brokers.kafka.publicador import Publicador

Acuse = Callable[[KafkaError | None, Any], None]


class Productor:
    """Un productor de confluent-kafka que no sale de aquí. Los tópicos `atascados` no se acusan."""

    def __init__(self) -> None:
        self.atascados: set[str] = set()
        self.rechaza: set[bytes] = set()
        self.fatal = False
        self.abiertos = 0
        self.tandas: list[list[tuple[str, bytes]]] = [[]]
        self._en_vuelo: deque[tuple[str, bytes, Acuse]] = deque()

    def produce(self, topico: str, cuerpo: bytes, clave: bytes, particion: int, acuse: Acuse, **_: object) -> None:
        self.tandas[-1].append((topico, cuerpo))
        self._en_vuelo.append((topico, cuerpo, acuse))

    def flush(self, plazo_s: float) -> int:
        if self.tandas[-1]:
            self.tandas.append([])
        for _ in range(len(self._en_vuelo)):
            topico, cuerpo, acuse = self._en_vuelo.popleft()
            if topico in self.atascados:
                self._en_vuelo.append((topico, cuerpo, acuse))
            else:
                error = KafkaError(KafkaError._MSG_TIMED_OUT, "no pudo ser", self.fatal)
                acuse(error if cuerpo in self.rechaza else None, _Rechazado(topico, cuerpo))
        if self._en_vuelo:
            time.sleep(plazo_s)
        return len(self._en_vuelo)

    def purge(self) -> None:
        if self.fatal:  # lo peor: lo que estaba en vuelo no se acusa nunca
            self._en_vuelo.clear()
        for topico, cuerpo, acuse in self._en_vuelo:
            acuse(KafkaError(KafkaError._PURGE_QUEUE), _Rechazado(topico, cuerpo))
        self._en_vuelo.clear()

    def list_topics(self, timeout: float) -> None:
        """Hay conexión."""


class _Rechazado:
    def __init__(self, topico: str, cuerpo: bytes) -> None:
        self._topico, self._cuerpo = topico, cuerpo

    def topic(self) -> str:
        return self._topico

    def value(self) -> bytes:
        return self._cuerpo


class _SinServidor(Cliente):
    def asegurar(self, nombres: Collection[str], **_: object) -> None:
        self.topicos |= dict.fromkeys(nombres, 4)

    def limite(self, topico: str) -> int:
        return 10_000_000


@pytest.fixture
def productor(monkeypatch: pytest.MonkeyPatch) -> Productor:
    suyo = Productor()

    def abrir(_opciones: object) -> Productor:
        suyo.abiertos += 1
        return suyo

    monkeypatch.setattr(publicador, "Producer", abrir)
    return suyo


@pytest.fixture
async def quien(productor: Productor) -> AsyncIterator[Publicador]:
    suyo = Publicador(_SinServidor(Configuracion("nadie:9092")))
    yield suyo
    productor.atascados.clear()
    await suyo.cerrar()


def _lote(topico: str, *cuerpos: bytes) -> list[Mensaje]:
    return [Mensaje(topico=topico, cuerpo=cuerpo, clave="k") for cuerpo in cuerpos]


async def _sin_acuse(quien: Publicador, productor: Productor, cuerpo: bytes) -> asyncio.Task[None]:
    """Lo publica en `a`, que queda sin acusar lo que se le dé."""
    productor.atascados = {"a"}
    publicacion = asyncio.create_task(quien.publicar(_lote("a", cuerpo)))
    await asyncio.sleep(0.05)
    return publicacion


async def test_mientras_un_topico_espera_su_acuse_lo_suyo_no_sale_y_lo_de_los_demas_si(
    quien: Publicador, productor: Productor
) -> None:
    primero = await _sin_acuse(quien, productor, b"1")
    segundo = asyncio.create_task(quien.publicar(_lote("a", b"2") + _lote("b", b"3")))
    async with asyncio.timeout(2):
        await quien.publicar(_lote("b", b"4"))

    assert not primero.done()
    assert productor.tandas[:-1] == [[("a", b"1")], [("b", b"4")]]
    productor.atascados = set()
    async with asyncio.timeout(2):
        await asyncio.gather(primero, segundo)
    assert productor.tandas[2] == [("a", b"2"), ("b", b"3")]


async def test_lo_que_no_cabe_en_una_tanda_espera_a_que_se_acuse_la_anterior(
    quien: Publicador, productor: Productor
) -> None:
    medio = bytes(publicador._TANDA // 2)
    await quien.publicar(_lote("a", b"1", medio, medio, b"2", bytes(publicador._TANDA * 3), b"3"))

    assert [[len(cuerpo) for _, cuerpo in tanda] for tanda in productor.tandas[:-1]] == [
        [1, len(medio)],
        [len(medio), 1],
        [publicador._TANDA * 3],
        [1],
    ]


async def test_varios_lotes_que_esperaban_salen_juntos_hasta_llenar_la_tanda(
    quien: Publicador, productor: Productor
) -> None:
    primero = await _sin_acuse(quien, productor, b"")
    cuerpos = [bytes(publicador._TANDA // 4)] * 5
    esperan = [asyncio.create_task(quien.publicar(_lote("a", cuerpo))) for cuerpo in cuerpos]
    await asyncio.sleep(0.05)
    productor.atascados = set()
    async with asyncio.timeout(2):
        await asyncio.gather(primero, *esperan)

    assert [len(tanda) for tanda in productor.tandas[:-1]] == [1, 3, 2]


async def test_si_falla_una_tanda_lo_que_queda_del_lote_no_sale(quien: Publicador, productor: Productor) -> None:
    productor.rechaza = {b"malo"}
    lleno = bytes(publicador._TANDA)
    with pytest.raises(ErrorBroker):
        await quien.publicar(_lote("a", b"malo", lleno, b"nunca"))
    await quien.publicar(_lote("a", b"otro"))

    assert productor.tandas[:-1] == [[("a", b"malo")], [("a", b"otro")]]


async def test_si_el_productor_deja_de_servir_falla_lo_que_llevaba_y_lo_siguiente_sale_por_otro(
    quien: Publicador, productor: Productor
) -> None:
    llevaba = await _sin_acuse(quien, productor, b"1")
    productor.rechaza, productor.fatal = {b"malo"}, True
    async with asyncio.timeout(3):
        fallos = await asyncio.gather(quien.publicar(_lote("b", b"malo")), llevaba, return_exceptions=True)
        assert [isinstance(fallo, ErrorBroker) for fallo in fallos] == [True] * 2
        productor.atascados = set()
        await quien.publicar(_lote("a", b"2") + _lote("b", b"3"))

    assert productor.abiertos == 2


async def test_quien_deja_de_esperar_antes_de_su_turno_no_publica(quien: Publicador, productor: Productor) -> None:
    primero = await _sin_acuse(quien, productor, b"1")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await quien.publicar(_lote("a", b"2"))
    productor.atascados = set()
    async with asyncio.timeout(2):
        await primero
        await quien.publicar(_lote("a", b"3"))

    assert productor.tandas[:-1] == [[("a", b"1")], [("a", b"3")]]


async def test_al_cerrar_falla_lo_que_no_llego_a_acusarse_y_lo_que_no_salio(
    quien: Publicador, productor: Productor
) -> None:
    productor.atascados = {"a"}
    pendientes = [asyncio.create_task(quien.publicar(_lote("a", bytes([n])))) for n in range(3)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(3):
        await quien.cerrar()
        fallos = await asyncio.gather(*pendientes, return_exceptions=True)

    assert [isinstance(fallo, ErrorBroker) for fallo in fallos] == [True] * 3
