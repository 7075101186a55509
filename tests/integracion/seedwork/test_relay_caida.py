"""El relay frente a un broker de verdad que se para con mucho pendiente, y vuelve."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import servidores
from tests.contratos.exigidos import urls_de
from tests.integracion.seedwork.bases import EN_AMBAS
from tests.integracion.seedwork.test_relay import pendientes

from seedwork.infraestructura.brokers import conectar
from seedwork.infraestructura.outbox import DespachadorOutbox
from seedwork.infraestructura.relay import Relay
from seedwork.infraestructura.sistema import Sistema

_MENSAJES, _CLAVES = 10_000, 50


@pytest.fixture
def redis_propio(tmp_path: Path) -> Iterator[Path]:
    """La raíz de un Redis que esta prueba puede parar."""
    urls_de("redis", "TEST_REDIS_URL")
    raiz = tmp_path / "servidores"
    servidores.arrancar("redis", raiz)
    try:
        yield raiz
    finally:
        servidores.parar("redis", raiz, borrar=True)


def _dejar_todo(bus: Sistema) -> None:
    def efecto(t: Any) -> None:
        despachador = t.ambito.get(DespachadorOutbox)
        for i in range(_MENSAJES):
            despachador.publicar({}, topico="t", clave=f"k{i % _CLAVES}", id=f"m{i}")

    bus.en_transaccion(efecto)


@EN_AMBAS
async def test_diez_mil_pendientes_con_el_broker_parado_llegan_todos_y_en_orden_cuando_vuelve(
    bus: Sistema, redis_propio: Path
) -> None:
    assert bus.motor is not None
    broker = conectar(servidores.urls(redis_propio)["TEST_REDIS_URL"])
    relay = Relay(bus.motor, broker, bus.aviso)
    tarea = asyncio.create_task(relay.correr())
    lector = await broker.leer(["t"])
    servidores.parar("redis", redis_propio)
    await asyncio.to_thread(_dejar_todo, bus)
    await asyncio.sleep(3)  # varios intentos del relay contra un broker que no está
    assert pendientes(bus) == _MENSAJES
    servidores.arrancar("redis", redis_propio)
    recibidos: list[str] = []
    async with asyncio.timeout(60):
        while len(recibidos) < _MENSAJES:
            recibidos += [m.cabeceras["id"] for m in await lector.recibir(500)]
    relay.parar()
    await tarea
    await lector.cerrar()
    await broker.cerrar()
    assert recibidos == [f"m{i}" for i in range(_MENSAJES)]
    assert pendientes(bus) == 0
