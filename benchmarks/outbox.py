"""El relay del outbox frente a un bucle ordenado escrito a mano, en la misma base y la misma corrida.

`python -m benchmarks.outbox [URL] [FILAS]`; sin URL, la de `TEST_POSTGRES_URL`. Los dos leen lotes de 500, los dan a un
broker que sólo cuenta y los marcan. Mensajes de 200 bytes; mediana de cinco vueltas alternadas. Donde esté python-cqrs
(`make bench-vecinos`) se dice además qué hace su productor en la misma base.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from benchmarks.vecinos_outbox import con_python_cqrs
from sqlalchemy import Engine, text, update
from tests.integracion.seedwork.bases import base_nueva
from tests.servidores import urls

from seedwork.infraestructura.base_datos import crear_motor
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.migraciones import SEEDWORK, migrar
from seedwork.infraestructura.outbox import AvisoOutbox
from seedwork.infraestructura.relay import LOTE, Relay
from seedwork.infraestructura.tablas import outbox

VUELTAS, CLAVES = 5, 1000


class Contador:
    """Un broker que acusa todo al instante."""

    def __init__(self, esperados: int) -> None:
        self.faltan = esperados
        self.todos = asyncio.Event()

    async def publicar(self, mensajes: Sequence[Mensaje]) -> None:
        self.faltan -= len(mensajes)
        if self.faltan <= 0:
            self.todos.set()


def llenar(motor: Engine, filas: int) -> None:
    with motor.begin() as conexion:
        conexion.execute(
            text(
                "INSERT INTO outbox (carril, id, topico, clave, cabeceras, cuerpo, creado_ms)"
                " SELECT (i % :claves) % 16, 'm' || i, 't', 'k' || i % :claves, CAST(:cabeceras AS json), :cuerpo, 0"
                " FROM generate_series(1, :filas) i"
            ),
            {
                "claves": CLAVES,
                "filas": filas,
                "cuerpo": b"x" * 200,
                "cabeceras": '{"id": "m", "source": "banco", "type": "t", "specversion": "1.0"}',
            },
        )
        conexion.exec_driver_sql("ANALYZE outbox")


async def con_relay(motor: Engine, filas: int) -> None:
    broker = Contador(filas)
    relay = Relay(motor, broker, AvisoOutbox())  # type: ignore[arg-type]
    tarea = asyncio.create_task(relay.correr())
    await broker.todos.wait()
    relay.parar()
    await tarea


async def a_mano(motor: Engine, filas: int) -> None:
    broker = Contador(filas)
    _, opciones = motor.dialect.create_connect_args(motor.url)
    with psycopg.connect(**opciones) as conexion:
        while broker.faltan > 0:
            leidas = conexion.execute(
                "SELECT secuencia, topico, clave, cabeceras, cuerpo FROM outbox"
                " WHERE publicado_ms IS NULL AND motivo IS NULL ORDER BY secuencia + 0 LIMIT %s",
                [LOTE],
            ).fetchall()
            conexion.commit()
            await broker.publicar([Mensaje(topico=t, cuerpo=c, clave=k, cabeceras=h) for _, t, k, h, c in leidas])
            conexion.execute(
                "UPDATE outbox SET publicado_ms = 1 WHERE secuencia = ANY(%s)", ([fila[0] for fila in leidas],)
            )
            conexion.commit()


async def medir(motor: Engine, filas: int) -> None:
    caminos: dict[str, Callable[[Engine, int], Any]] = {"bucle a mano": a_mano, "relay": con_relay}
    cifras: dict[str, list[float]] = {nombre: [] for nombre in caminos}
    for _ in range(VUELTAS):
        for nombre, camino in caminos.items():
            with motor.begin() as conexion:
                conexion.execute(update(outbox).values(publicado_ms=None))
            with motor.connect().execution_options(isolation_level="AUTOCOMMIT") as conexion:
                conexion.exec_driver_sql("VACUUM outbox")
            empezo = time.perf_counter()
            await camino(motor, filas)
            cifras[nombre].append(filas / (time.perf_counter() - empezo))
    medianas = {nombre: statistics.median(valores) for nombre, valores in cifras.items()}
    for nombre, valor in medianas.items():
        sys.stdout.write(f"{nombre:30} {valor:10,.0f} mensajes/s\n")
    sys.stdout.write(f"relay {medianas['relay'] / medianas['bucle a mano']:.2f} (meta 0.85)\n")
    if (ajeno := await con_python_cqrs(motor, filas // 20)) is not None:
        sys.stdout.write(f"{'productor de python-cqrs':30} {ajeno:10,.0f} mensajes/s, con {filas // 20:,} filas\n")


def main(filas: int) -> None:
    with base_nueva("postgres", __file__) as url:  # type: ignore[arg-type]
        motor = crear_motor(url)
        migrar(motor, SEEDWORK)
        llenar(motor, filas)
        asyncio.run(medir(motor, filas))
        motor.dispose()


if __name__ == "__main__":
    if not {**urls(), **os.environ}.get("TEST_POSTGRES_URL"):
        sys.exit("No hay PostgreSQL: arránquelo con `make servidores`")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60_000)
