"""El grifo ante la carrera del cliente: un mensaje en su cola mientras la espera da el que le sigue."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pulsar
import pytest

from seedwork.infraestructura.brokers.pulsar import grifo
from seedwork.infraestructura.brokers.pulsar.grifo import Grifo

ESPERA_S = 0.05


@dataclass
class Recibido:
    """Lo que el cliente da por mensaje, con lo que identifica a cada uno."""

    entrada: int
    topico: str = "t"

    def topic_name(self) -> str:
        return self.topico

    def message_id(self) -> Any:
        return SimpleNamespace(ledger_id=lambda: 7, entry_id=lambda: self.entrada, batch_index=lambda: -1)


class Fuente:
    """Un lector del cliente: su cola, y la espera que esté pedida."""

    def __init__(self) -> None:
        self.cola: deque[Recibido] = deque()
        self.pedidas: list[Callable[[Any, Any], None]] = []
        self._reader = SimpleNamespace(read_next_async=self.pedidas.append)

    def read_next(self, timeout_millis: int) -> pulsar.Message:
        if not self.cola:
            raise pulsar.Timeout("nada")
        return pulsar.Message._wrap(self.cola.popleft())

    async def pedida(self) -> Callable[[Any, Any], None]:
        async with asyncio.timeout(5):
            while not self.pedidas:
                await asyncio.sleep(0)
        return self.pedidas.pop()


class Llegado:
    def __init__(self) -> None:
        self.entradas: list[int] = []

    def __call__(self, lote: list[pulsar.Message]) -> None:
        self.entradas += [mensaje.message_id().entry_id() for mensaje in lote]

    async def hasta(self, cuantos: int) -> list[int]:
        async with asyncio.timeout(5):
            while len(self.entradas) < cuantos:
                await asyncio.sleep(0.001)
        return self.entradas


@pytest.fixture
def fuente() -> Fuente:
    return Fuente()


@pytest.fixture
async def llegado(fuente: Fuente, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Llegado]:
    monkeypatch.setattr(grifo, "_ESPERA_S", ESPERA_S)
    llegado = Llegado()
    abierto = Grifo(cast(pulsar.Reader, fuente), llegado, "prueba")
    yield llegado
    await abierto.cerrar()


async def test_lo_que_quedo_en_la_cola_va_delante_de_lo_que_dio_la_espera(fuente: Fuente, llegado: Llegado) -> None:
    esperando = await fuente.pedida()
    fuente.cola.append(Recibido(1))
    esperando(pulsar.Result.Ok, Recibido(2))
    fuente.cola.append(Recibido(3))

    assert await llegado.hasta(3) == [1, 2, 3]


async def test_lo_que_sigue_a_lo_que_dio_la_espera_va_detras(fuente: Fuente, llegado: Llegado) -> None:
    esperando = await fuente.pedida()
    esperando(pulsar.Result.Ok, Recibido(1))
    fuente.cola += [Recibido(2), Recibido(3)]

    assert await llegado.hasta(3) == [1, 2, 3]


async def test_de_dos_topicos_se_da_lo_que_llego_antes(fuente: Fuente, llegado: Llegado) -> None:
    esperando = await fuente.pedida()
    esperando(pulsar.Result.Ok, Recibido(8, "a"))
    fuente.cola.append(Recibido(1, "b"))

    assert await llegado.hasta(2) == [8, 1]


async def test_lo_que_quedo_en_la_cola_se_da_aunque_no_llegue_nada_mas(fuente: Fuente, llegado: Llegado) -> None:
    esperando = await fuente.pedida()
    fuente.cola.append(Recibido(1))
    assert await llegado.hasta(1) == [1]

    assert not fuente.pedidas  # sigue valiendo la que había: otra se quedaría con un mensaje
    esperando(pulsar.Result.Ok, Recibido(2))
    assert await llegado.hasta(2) == [1, 2]
    await fuente.pedida()


async def test_lo_sacado_de_la_cola_espera_a_lo_que_aun_venia_de_camino(fuente: Fuente, llegado: Llegado) -> None:
    esperando = await fuente.pedida()
    fuente.cola.append(Recibido(2))
    async with asyncio.timeout(5):
        while fuente.cola:
            await asyncio.sleep(0.001)
    esperando(pulsar.Result.Ok, Recibido(1))

    assert await llegado.hasta(2) == [1, 2]


async def test_al_cerrar_no_queda_nadie_esperando(fuente: Fuente) -> None:
    nada = Llegado()
    abierto = Grifo(cast(pulsar.Reader, fuente), nada, "prueba")
    esperando = await fuente.pedida()
    await abierto.cerrar()

    esperando(pulsar.Result.AlreadyClosed, None)
    esperando(pulsar.Result.Ok, Recibido(1))
    await asyncio.sleep(0)
    assert nada.entradas == []
