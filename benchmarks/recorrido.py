"""Del POST a la página: cuánto tarda en llegar al websocket la `ReservaCreada` de un `POST /vuelos/reserva`.

`python -m benchmarks.recorrido [VECES]`. La suite corre entera, cada cosa en su proceso. Al lado, alternado en la misma
corrida, lo mínimo que cuesta lo mismo: confirmar una fila en esa base, publicar un mensaje en ese broker y recibirlo
por otra conexión. Cada vuelta empieza cuando la reserva anterior acabó y lo que deja detrás (las proyecciones, el final
de su saga) se asentó. Dice también cuánto de ello pasa hasta que el evento entra en el outbox. Sobre lo embebido y, si
están en marcha, sobre PostgreSQL y Pulsar.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import psycopg
import pulsar
from sqlalchemy import make_url
from tests.e2e.brokers import BROKERS
from tests.e2e.suite import SuiteReal, reserva_nueva
from tests.integracion.seedwork.bases import base_nueva
from tests.servidores import urls

from seedwork.infraestructura.base_datos import preparar_sqlite
from seedwork.infraestructura.brokers import Mensaje, conectar

CUERPO = b"x" * 500
TABLA = "CREATE TABLE banco (id INTEGER PRIMARY KEY, cuerpo {tipo} NOT NULL)"
META = 2.0
ASIENTO_S = 1.0
Medir = Callable[[], Awaitable[float]]


@asynccontextmanager
async def por_la_suite(suite: SuiteReal, hasta_el_outbox_ms: list[float]) -> AsyncIterator[Medir]:
    """Segundos desde que sale el POST hasta la trama de su `ReservaCreada`, que dice cuándo entró al outbox."""
    async with aiohttp.ClientSession() as sesion, sesion.ws_connect(f"{suite.ui}/ws") as ws:

        async def reservar() -> str:
            async with sesion.post(f"{suite.api}/vuelos/reserva", json=reserva_nueva()) as respuesta:
                respuesta.raise_for_status()
                return str((await respuesta.json())["id"])

        async def medir() -> float:
            inicio, salio = time.perf_counter(), datetime.now(UTC)
            reserva = asyncio.create_task(reservar())
            evento = await _trama(ws, "ReservaCreada")
            tardo_s = time.perf_counter() - inicio
            hasta_el_outbox_ms.append(1000 * (datetime.fromisoformat(evento["ingestion"]) - salio).total_seconds())
            assert evento["subject"] == await reserva  # noqa: S101
            for _ in range(2):  # el de recibida y el de aprobada: con ése, la reserva acabó
                await _trama(ws, "correo.enviado")
            return tardo_s

        yield medir


async def _trama(ws: aiohttp.ClientWebSocketResponse, tipo: str) -> dict[str, Any]:
    while (evento := json.loads(await ws.receive_str(timeout=60)))["type"] != tipo:
        pass
    return dict(evento)


@asynccontextmanager
async def sqlite_y_embebido(base: str, broker: str) -> AsyncIterator[Medir]:
    topico = f"banco{uuid.uuid4().hex}"
    emisor, receptor = conectar(broker), conectar(broker)
    suscripcion = await receptor.suscribir(topico, [topico])
    with closing(sqlite3.connect(str(make_url(base).database) + ".banco")) as db:
        preparar_sqlite(db, None)
        db.execute(TABLA.format(tipo="BLOB"))

        async def medir() -> float:
            inicio = time.perf_counter()
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO banco (cuerpo) VALUES (?)", (CUERPO,))
            db.execute("COMMIT")
            await emisor.publicar([Mensaje(topico=topico, cuerpo=CUERPO, clave="k")])
            entregas = await suscripcion.recibir(1)
            tardo_s = time.perf_counter() - inicio
            await suscripcion.confirmar(entregas)
            return tardo_s

        yield medir
    await emisor.cerrar()
    await receptor.cerrar()


@asynccontextmanager
async def postgres_y_pulsar(base: str, broker: str) -> AsyncIterator[Medir]:
    servidor, _, espacio = broker.partition("?")[0].removeprefix("pulsar://").partition("/")
    topico = f"persistent://{espacio}/banco"
    silencio = pulsar.ConsoleLogger(pulsar.LoggerLevel.Error)
    emisor, receptor = (pulsar.Client(f"pulsar://{servidor}", logger=silencio) for _ in range(2))
    consumidor = receptor.subscribe(topico, "banco", consumer_type=pulsar.ConsumerType.KeyShared)
    productor = emisor.create_producer(topico, batching_enabled=False)
    with psycopg.connect(make_url(base).set(drivername="postgresql").render_as_string(hide_password=False)) as db:
        db.execute(TABLA.format(tipo="BYTEA").replace("INTEGER", "SERIAL"))
        db.commit()

        async def medir() -> float:
            inicio = time.perf_counter()
            db.execute("INSERT INTO banco (cuerpo) VALUES (%s)", (CUERPO,))
            db.commit()
            productor.send(CUERPO, partition_key="k", ordering_key="k")
            recibido = consumidor.receive(30_000)
            tardo_s = time.perf_counter() - inicio
            consumidor.acknowledge(recibido)
            return tardo_s

        yield medir
    for cliente in (emisor, receptor):
        cliente.close()


async def alternar(a_secas: AbstractAsyncContextManager[Medir], suite: SuiteReal, veces: int) -> None:
    cifras: dict[str, list[float]] = {"a secas": [], "POST a websocket": []}
    hasta_el_outbox_ms: list[float] = []
    async with a_secas as minimo, por_la_suite(suite, hasta_el_outbox_ms) as recorrido:
        for medir in (minimo, recorrido):  # lo primero abre conexiones y compila consultas
            await medir()
        for _ in range(veces):
            await asyncio.sleep(ASIENTO_S)
            for nombre, medir in zip(cifras, (minimo, recorrido), strict=True):
                cifras[nombre].append(1000 * await medir())
    for nombre, valores in cifras.items():
        p95 = statistics.quantiles(valores, n=20)[-1]
        sys.stdout.write(f"{nombre:20} p50 {statistics.median(valores):7.1f} ms   p95 {p95:7.1f} ms\n")
    sys.stdout.write(f"{'  hasta el outbox':20} p50 {statistics.median(hasta_el_outbox_ms[1:]):7.1f} ms\n")
    base, propio = (statistics.median(valores) for valores in cifras.values())
    sys.stdout.write(f"razón {propio / base:.2f} (meta {META:g})\n")


def correr(pareja: str, veces: int) -> None:
    tipo, clase, trabajador, a_secas = PAREJAS[pareja]
    sys.stdout.write(f"{pareja}\n")
    with TemporaryDirectory() as nombre:
        carpeta = Path(nombre)
        with base_nueva(tipo, carpeta) as base, BROKERS[clase](carpeta) as broker:
            variables = {"DATABASE_URL": base, "BROKER_URL": broker, "AEROALPES_TRABAJADOR": trabajador}
            with SuiteReal(carpeta / "datos", **variables) as suite:
                procesos = [suite.lanzar(fila) for fila in ("api", "notificaciones", "ui")]
                if trabajador == "aparte":
                    procesos.append(suite.trabajador())
                suite.esperar(*procesos)
                asyncio.run(alternar(a_secas(base, broker), suite, veces))


PAREJAS = {
    "SQLite y broker embebido": ("sqlite", "archivo", "dentro", sqlite_y_embebido),
    "PostgreSQL y Pulsar": ("postgres", "pulsar", "aparte", postgres_y_pulsar),
}


if __name__ == "__main__":
    conocidas = {**urls(), **os.environ}
    for pareja in PAREJAS:
        if "Pulsar" in pareja and not {"TEST_POSTGRES_URL", "TEST_PULSAR_URL"} <= conocidas.keys():
            sys.stdout.write(f"{pareja}: faltan sus servidores; arránquelos con `make servidores`\n")
        else:
            correr(pareja, int(sys.argv[1]) if len(sys.argv) > 1 else 100)
