"""Este adaptador frente a aio-pika a secas, en la misma corrida: `python benchmarks/rabbitmq.py [URL] [MENSAJES]`.

Mensajes de 200 bytes. Publicar: tandas de 200 con su acuse. Consumir: aio-pika acusa uno a uno; el
adaptador, por lotes.
Los dos publican en un exchange atado a una cola quorum y a un stream, como el adaptador.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import aio_pika

RAIZ = Path(__file__).parents[1]
sys.path[:0] = [str(RAIZ / "src"), str(RAIZ)]

from seedwork.infraestructura.brokers import Mensaje, conectar  # noqa: E402

CUERPO = b"x" * 200
TANDA = 200
VUELTAS = 3


async def crudo_publicar(exchange: aio_pika.abc.AbstractExchange, n: int) -> float:
    empezo = time.perf_counter()
    for _ in range(n // TANDA):
        await asyncio.gather(
            *(exchange.publish(aio_pika.Message(CUERPO, delivery_mode=2), "banco.t") for _ in range(TANDA))
        )
    return n / (time.perf_counter() - empezo)


async def crudo_consumir(cola: aio_pika.abc.AbstractQueue, n: int) -> float:
    vistos, todos = 0, asyncio.Event()

    async def atender(mensaje: aio_pika.abc.AbstractIncomingMessage) -> None:
        nonlocal vistos
        await mensaje.ack()
        vistos += 1
        if vistos == n:
            todos.set()

    empezo = time.perf_counter()
    etiqueta = await cola.consume(atender)
    await todos.wait()
    duracion = time.perf_counter() - empezo
    await cola.cancel(etiqueta)
    return n / duracion


async def crudo(url: str, n: int) -> tuple[float, float]:
    nombre = f"banco-crudo-{uuid.uuid4().hex[:8]}"
    async with await aio_pika.connect(url) as conexion:
        canal = await conexion.channel()
        await canal.set_qos(prefetch_count=256)
        exchange = await canal.declare_exchange(nombre, aio_pika.ExchangeType.TOPIC, durable=True)
        cola = await canal.declare_queue(nombre, durable=True, arguments={"x-queue-type": "quorum"})
        log = await canal.declare_queue(f"{nombre}.log", durable=True, arguments={"x-queue-type": "stream"})
        for destino in (cola, log):
            await destino.bind(exchange, "#")
        try:
            publicar = await crudo_publicar(exchange, n)
            return publicar, await crudo_consumir(cola, n)
        finally:
            await cola.delete(if_unused=False, if_empty=False)
            await log.delete(if_unused=False, if_empty=False)
            await exchange.delete()


async def adaptador(url: str, n: int) -> tuple[float, float]:
    nombre = f"banco-{uuid.uuid4().hex[:8]}"
    broker = conectar(f"{url}?exchange={nombre}")
    suscripcion = await broker.suscribir(nombre, ["banco.*"])
    await suscripcion.cerrar()
    try:
        mensajes = [Mensaje(topico="banco.t", cuerpo=CUERPO) for _ in range(TANDA)]
        empezo = time.perf_counter()
        for _ in range(n // TANDA):
            await broker.publicar(mensajes)
        publicar = n / (time.perf_counter() - empezo)

        empezo, vistos = time.perf_counter(), 0
        suscripcion = await broker.suscribir(nombre, ["banco.*"])
        while vistos < n:
            entregas = await suscripcion.recibir(TANDA)
            await suscripcion.confirmar(entregas)
            vistos += len(entregas)
        consumir = n / (time.perf_counter() - empezo)
        return publicar, consumir
    finally:
        await broker.cerrar()
        await borrar(url, nombre)


async def borrar(url: str, nombre: str) -> None:
    sufijos = ("", ".alta", ".relleno", ".dlq", ".intentos", ".consumidores", ".log", ".suscripciones")
    async with await aio_pika.connect(url) as conexion:
        canal = await conexion.channel()
        for sufijo in sufijos:
            await canal.queue_delete(f"{nombre}{sufijo}")
        for exchange in (nombre, f"{nombre}.consumidores"):
            await canal.exchange_delete(exchange)


async def mejor(prueba: Callable[[str, int], Awaitable[tuple[float, float]]], url: str, n: int) -> tuple[float, float]:
    vueltas = [await prueba(url, n) for _ in range(VUELTAS)]
    return max(v[0] for v in vueltas), max(v[1] for v in vueltas)


async def main(url: str, n: int) -> None:
    de_crudo, nuestro = await mejor(crudo, url, n), await mejor(adaptador, url, n)
    for que, suyo, mio in zip(("publicar", "consumir"), de_crudo, nuestro, strict=True):
        sys.stdout.write(f"{que:9} aio-pika {suyo:8.0f}/s  adaptador {mio:8.0f}/s  razón {mio / suyo:5.2f}\n")


if __name__ == "__main__":
    url_por_defecto = os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1/")
    asyncio.run(
        main(sys.argv[1] if len(sys.argv) > 1 else url_por_defecto, int(sys.argv[2]) if len(sys.argv) > 2 else 20_000)
    )
