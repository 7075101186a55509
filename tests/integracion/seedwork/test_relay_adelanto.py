"""Mientras un lote lleno sale, el relay marca el anterior y lee el siguiente, sin perder nada de lo que promete."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.exc import OperationalError
from tests.integracion.seedwork.bases import EN_AMBAS
from tests.integracion.seedwork.test_relay import BrokerFalso, dejar, en_marcha, hasta

from seedwork.infraestructura import pendientes as sql
from seedwork.infraestructura import relay as modulo_relay
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.sistema import Sistema
from seedwork.infraestructura.tablas import outbox, outbox_carriles

LOTE = 20
IDS = [f"m{i}" for i in range(2 * LOTE + 10)]


@pytest.fixture(autouse=True)
def lotes_cortos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modulo_relay, "LOTE", LOTE)


class BrokerQueHace(BrokerFalso):
    """Antes de aceptar el lote número `cual` hace algo."""

    def __init__(self, cual: int, que: Any) -> None:
        super().__init__()
        self._cual, self._que, self.publicaciones = cual, que, 0

    async def publicar(self, mensajes: Sequence[Mensaje]) -> None:
        self.publicaciones += 1
        if self.publicaciones == self._cual:
            await self._que()
        await super().publicar(mensajes)


def dejar_todos(bus: Sistema, claves: int = 7) -> None:
    dejar(bus, *[(id, f"k{i % claves}") for i, id in enumerate(IDS)])


def pendientes(bus: Sistema) -> int:
    assert bus.motor is not None
    with bus.motor.connect() as conexion:
        return conexion.scalar(select(func.count()).where(outbox.c.publicado_ms.is_(None))) or 0


@EN_AMBAS
async def test_mientras_un_lote_sale_ya_se_leyo_el_siguiente(bus: Sistema) -> None:
    assert bus.motor is not None
    leidos: list[int] = []

    def anotar(_conexion: Any, _cursor: Any, sentencia: str, *_: Any) -> None:
        leidos.append("estacionado" in sentencia and sentencia.startswith("SELECT"))

    broker = BrokerQueHace(1, lambda: hasta(lambda: sum(leidos) >= 2))
    dejar_todos(bus)
    event.listen(bus.motor, "after_cursor_execute", anotar)
    async with en_marcha(bus, broker):
        await hasta(lambda: pendientes(bus) == 0)
    assert broker.ids == IDS


@EN_AMBAS
async def test_lo_que_va_detras_de_lo_que_no_salio_no_sale_aunque_ya_se_hubiera_leido(bus: Sistema) -> None:
    broker = BrokerFalso()
    broker.rechaza = {"m10"}
    broker.fallos = 2
    dejar_todos(bus)
    async with en_marcha(bus, broker):
        await hasta(lambda: pendientes(bus) == len(range(10, len(IDS), 7)))
    assert broker.ids == [id for i, id in enumerate(IDS) if i < 10 or i % 7 != 10 % 7]


@EN_AMBAS
async def test_lo_publicado_que_no_se_pudo_marcar_se_marca_despues_y_no_se_repite(
    bus: Sistema, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, fallos, marcar = BrokerFalso(), [1, 2], sql.marcar

    def a_veces(*argumentos: Any) -> None:
        if fallos:
            raise OperationalError("UPDATE", {}, Exception(f"se cayó la base {fallos.pop()}"))
        marcar(*argumentos)

    monkeypatch.setattr(sql, "marcar", a_veces)
    dejar_todos(bus)
    async with en_marcha(bus, broker):
        await hasta(lambda: pendientes(bus) == 0, 20)
    assert broker.ids == IDS


@EN_AMBAS
async def test_al_parar_lo_publicado_queda_marcado(bus: Sistema) -> None:
    async def parar() -> None:
        relay.parar()

    broker = BrokerQueHace(2, parar)
    dejar_todos(bus)
    async with en_marcha(bus, broker) as relay:
        await hasta(lambda: broker.publicaciones == 2)
    assert broker.ids == IDS[: 2 * LOTE]
    assert pendientes(bus) == len(IDS) - 2 * LOTE


@EN_AMBAS
async def test_si_otro_toma_los_carriles_lo_leido_por_adelantado_se_olvida(bus: Sistema) -> None:
    async def quitar_los_carriles() -> None:
        assert bus.motor is not None
        with bus.motor.begin() as conexion:
            conexion.execute(update(outbox_carriles).values(dueno="otro", vence_ms=ahora_ms() + 60_000))
        await hasta(lambda: relay._carriles == [])

    broker = BrokerQueHace(1, quitar_los_carriles)
    dejar_todos(bus)
    async with en_marcha(bus, broker, arriendo_s=0.3) as relay:
        await hasta(lambda: broker.lotes == [LOTE])
        await asyncio.sleep(0.3)
    assert broker.ids == IDS[:LOTE]
    assert pendientes(bus) == len(IDS)  # los marcará quien ahora tiene los carriles


async def test_en_reposo_lo_que_cuesta_mirar_se_mira_menos(bus: Sistema, monkeypatch: pytest.MonkeyPatch) -> None:
    miradas, leer = [], sql.leer

    def despacio(*argumentos: Any) -> Any:
        time.sleep(0.1)
        miradas.append(time.monotonic())
        return leer(*argumentos)

    async def sin_avisos(*_: Any) -> None: ...

    monkeypatch.setattr(sql, "leer", despacio)
    monkeypatch.setattr(modulo_relay, "vigilar", sin_avisos)
    monkeypatch.setattr(modulo_relay, "_RESPALDO_S", 0.01)
    async with en_marcha(bus, BrokerFalso()):
        await hasta(lambda: len(miradas) >= 4, 15)
    assert miradas[3] - miradas[2] > 0.8
