"""Publicar y consumir por el puerto en Pulsar, frente al cliente a secas, con mensajes de 200 bytes.

`python -m benchmarks.pulsar [mensajes] [veces]`, con el servidor de `python -m tests.servidores arrancar pulsar`. Se
alternan en la misma corrida y se da la mediana. El cliente a secas hace lo mismo sobre un tópico igual: cuatro
particiones, sin lotes, una suscripción Exclusive y un acuse por mensaje. También se da lo que consume si además mira el
cuerpo, la clave y las propiedades de cada uno, que el puerto entrega siempre.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulsar

RAIZ = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(RAIZ), str(RAIZ / "src")]

from tests.servidores import urls  # noqa: E402

from seedwork.infraestructura.brokers import Mensaje, conectar  # noqa: E402
from seedwork.infraestructura.brokers.pulsar.administracion import pedir  # noqa: E402
from seedwork.infraestructura.brokers.pulsar.direccion import leer_url  # noqa: E402

LOTE = 500
CUERPO = b"x" * 200
PARTICIONES = 4


def a_secas(url: str, cuantos: int) -> tuple[float, float, float]:
    """Por segundo: publicados, recibidos, y recibidos y abiertos."""
    cliente = pulsar.Client(url.partition("?")[0], logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error))
    topico = f"bench{uuid.uuid4().hex}"
    pedir(leer_url(url), "PUT", f"persistent/public/default/{topico}/partitions", PARTICIONES)
    suscrito = cliente.subscribe(topico, "s", initial_position=pulsar.InitialPosition.Earliest)
    productor = cliente.create_producer(topico, batching_enabled=False, max_pending_messages=2 * LOTE)
    inicio = time.perf_counter()
    for base in range(0, cuantos, LOTE):
        _publicar_lote(productor, base)
    publicar_s = time.perf_counter() - inicio
    suscrito.close()
    cliente.subscribe(topico, "abriendo", initial_position=pulsar.InitialPosition.Earliest).close()
    maneras: list[tuple[str, Callable[[Any], Any]]] = [("s", lambda _: None), ("abriendo", _abrir)]
    random.shuffle(maneras)  # la segunda halla el servidor más caliente
    tardan_s = {
        suscripcion: _consumir(cliente.subscribe(topico, suscripcion), cuantos, m) for suscripcion, m in maneras
    }
    cliente.close()
    return cuantos / publicar_s, cuantos / tardan_s["s"], cuantos / tardan_s["abriendo"]


def _abrir(recibido: Any) -> Any:
    return recibido.data(), recibido.partition_key(), recibido.properties()


def _consumir(suscrito: Any, cuantos: int, mirar: Callable[[Any], Any]) -> float:
    inicio = time.perf_counter()
    for _ in range(cuantos):
        recibido = suscrito.receive(30_000)
        mirar(recibido)
        suscrito.acknowledge(recibido)
    return time.perf_counter() - inicio


def _publicar_lote(productor: Any, base: int) -> None:
    """Vuelve con el acuse de todos."""
    faltan, hecho = LOTE, threading.Event()

    def acusado(*_: Any) -> None:
        nonlocal faltan
        faltan -= 1
        if not faltan:
            hecho.set()

    for i in range(base, base + LOTE):
        clave = f"k{i % 100}"
        propiedades = {"ce_id": str(i), "ce_type": "prueba"}
        productor.send_async(CUERPO, acusado, propiedades, partition_key=clave)
    hecho.wait(60)


async def por_el_puerto(url: str, cuantos: int) -> tuple[float, float]:
    broker = conectar(url)
    topico = f"bench{uuid.uuid4().hex}"
    await (await broker.suscribir(topico, [topico])).cerrar()
    mensajes = mensajes_en(topico, cuantos)
    await broker.publicar(mensajes[:1])  # el productor ya está creado, como el del cliente a secas
    inicio = time.perf_counter()
    for base in range(0, cuantos, LOTE):
        await broker.publicar(mensajes[base : base + LOTE])
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


def mensajes_en(topico: str, cuantos: int) -> list[Mensaje]:
    return [
        Mensaje(topico=topico, cuerpo=CUERPO, clave=f"k{i % 100}", cabeceras={"id": str(i), "type": "prueba"})
        for i in range(cuantos)
    ]


def url_del_servidor() -> str:
    conocidas = urls()
    return f"{conocidas['TEST_PULSAR_URL']}?admin={conocidas['TEST_PULSAR_ADMIN_URL']}"


def main() -> None:
    url = url_del_servidor()
    cuantos = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    veces = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    vueltas = [(a_secas(url, cuantos), asyncio.run(por_el_puerto(url, cuantos))) for _ in range(veces)]
    for que, del_cliente, del_puerto in (("publicar", 0, 0), ("consumir", 1, 1), ("consumir, abriéndolos", 2, 1)):
        crudo, nuestro = [suyo[del_cliente] for suyo, _ in vueltas], [suyo[del_puerto] for _, suyo in vueltas]
        proporcion = statistics.median(propio / base for base, propio in zip(crudo, nuestro, strict=True))
        sys.stdout.write(
            f"{que}: cliente {statistics.median(crudo):,.0f}/s, puerto {statistics.median(nuestro):,.0f}/s,"
            f" proporción {proporcion:.2f}\n"
        )


if __name__ == "__main__":
    main()
