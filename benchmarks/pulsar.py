"""Publicar y consumir por el puerto en Pulsar, frente al cliente a secas, con mensajes de 200 bytes.

`python benchmarks/pulsar.py [mensajes]`, con el servidor de `python -m tests.servidores arrancar pulsar`. El cliente a
secas publica igual, sin lotes (con ellos, Key_Shared no conserva el orden por clave), y confirma cada mensaje.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

RAIZ = Path(__file__).resolve().parents[1]
# La carpeta de este archivo taparía al cliente: se llaman igual.
sys.path[0] = str(RAIZ)
sys.path.insert(1, str(RAIZ / "src"))

pulsar: Any = importlib.import_module("pulsar")

LOTE = 500
CUERPO = b"x" * 200


def a_secas(url: str, cuantos: int) -> tuple[float, float]:
    cliente = pulsar.Client(url.partition("?")[0], logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error))
    topico = f"bench{uuid.uuid4().hex}"
    suscrito = cliente.subscribe(topico, "s", consumer_type=pulsar.ConsumerType.KeyShared)
    productor = cliente.create_producer(topico, batching_enabled=False, max_pending_messages=2 * LOTE)
    inicio = time.perf_counter()
    for base in range(0, cuantos, LOTE):
        acuses = threading.Semaphore(0)
        for i in range(base, base + LOTE):
            clave = f"k{i % 100}"
            propiedades = {"ce_id": str(i), "ce_type": "prueba"}
            productor.send_async(
                CUERPO, lambda *_, a=acuses: a.release(), propiedades, partition_key=clave, ordering_key=clave
            )
        for _ in range(LOTE):
            acuses.acquire()
    publicar_s = time.perf_counter() - inicio
    suscrito.close()
    suscrito = cliente.subscribe(topico, "s", consumer_type=pulsar.ConsumerType.KeyShared)
    inicio = time.perf_counter()
    for _ in range(cuantos):
        suscrito.acknowledge(suscrito.receive(30_000))
    consumir_s = time.perf_counter() - inicio
    cliente.close()
    return cuantos / publicar_s, cuantos / consumir_s


async def por_el_puerto(url: str, cuantos: int) -> tuple[float, float]:
    brokers = importlib.import_module("seedwork.infraestructura.brokers")
    broker = brokers.conectar(url)
    topico = f"bench{uuid.uuid4().hex}"
    suscripcion = await broker.suscribir(topico, [topico])
    await suscripcion.cerrar()
    inicio = time.perf_counter()
    for base in range(0, cuantos, LOTE):
        await broker.publicar(
            [
                brokers.Mensaje(
                    topico=topico,
                    cuerpo=CUERPO,
                    clave=f"k{i % 100}",
                    cabeceras={"id": str(i), "type": "prueba"},
                )
                for i in range(base, base + LOTE)
            ]
        )
    publicar_s = time.perf_counter() - inicio
    suscripcion = await broker.suscribir(topico, [topico])
    inicio, vistos = time.perf_counter(), 0
    while vistos < cuantos:
        entregas = await suscripcion.recibir(LOTE)
        await suscripcion.confirmar(entregas)
        vistos += len(entregas)
    consumir_s = time.perf_counter() - inicio
    await broker.cerrar()
    return cuantos / publicar_s, cuantos / consumir_s


def main() -> None:
    urls = importlib.import_module("tests.servidores").urls()
    url = f"{urls['TEST_PULSAR_URL']}?admin={urls['TEST_PULSAR_ADMIN_URL']}"
    cuantos = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    crudo, nuestro = a_secas(url, cuantos), asyncio.run(por_el_puerto(url, cuantos))
    for que, base, propio in zip(("publicar", "consumir"), crudo, nuestro, strict=True):
        sys.stdout.write(f"{que}: cliente {base:,.0f}/s, puerto {propio:,.0f}/s, proporción {propio / base:.2f}\n")


main()
