"""Este adaptador frente a aio-pika a secas, en la misma corrida: `python -m benchmarks.rabbitmq [URL] [MENSAJES]`.

Mensajes de 200 bytes, tandas de 200. Publicar: cada tanda vuelve con su acuse. Consumir: aio-pika acusa uno a uno; el
adaptador, por lotes. Los dos publican en un exchange atado a una cola quorum y a un stream, y se alternan: la razón es
la mediana de las de cada vuelta. Si está instalado FastStream, se mide al lado.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import aio_pika

RAIZ = Path(__file__).parents[1]
sys.path[:0] = [str(RAIZ / "src"), str(RAIZ)]

from seedwork.infraestructura.brokers import Mensaje, conectar  # noqa: E402

try:
    from faststream.rabbit import ExchangeType, QueueType, RabbitBroker, RabbitExchange, RabbitQueue
except ModuleNotFoundError:
    RabbitBroker = None

CUERPO = b"x" * 200
TANDA = 200
PREFETCH = 256
VUELTAS = 5

Medida = tuple[float, float]  # publicar y consumir, en mensajes por segundo


async def medir_aio_pika(url: str, n: int) -> Medida:
    nombre = f"banco-crudo-{uuid.uuid4().hex[:8]}"
    async with await aio_pika.connect(url) as conexion:
        canal = await conexion.channel()
        await canal.set_qos(prefetch_count=PREFETCH)
        exchange = await canal.declare_exchange(nombre, aio_pika.ExchangeType.TOPIC, durable=True)
        cola = await canal.declare_queue(nombre, durable=True, arguments={"x-queue-type": "quorum"})
        log = await canal.declare_queue(f"{nombre}.log", durable=True, arguments={"x-queue-type": "stream"})
        for destino in (cola, log):
            await destino.bind(exchange, "#")
        try:
            empezo = time.perf_counter()
            for _ in range(n // TANDA):
                await asyncio.gather(
                    *(exchange.publish(aio_pika.Message(CUERPO, delivery_mode=2), "banco.t") for _ in range(TANDA))
                )
            publicar = n / (time.perf_counter() - empezo)
            return publicar, await _consumir_con_aio_pika(cola, n)
        finally:
            await cola.delete(if_unused=False, if_empty=False)
            await log.delete(if_unused=False, if_empty=False)
            await exchange.delete()


async def _consumir_con_aio_pika(cola: aio_pika.abc.AbstractQueue, n: int) -> float:
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


async def medir_adaptador(url: str, n: int) -> Medida:
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
        return publicar, n / (time.perf_counter() - empezo)
    finally:
        await broker.cerrar()
        await _borrar(url, nombre, ("", ".relleno", ".dlq", ".intentos", ".consumidores", ".log", ".suscripciones"))


async def medir_faststream(url: str, n: int) -> Medida:
    nombre = f"banco-fs-{uuid.uuid4().hex[:8]}"
    exchange = RabbitExchange(nombre, type=ExchangeType.TOPIC, durable=True)
    cola = RabbitQueue(nombre, queue_type=QueueType.QUORUM, durable=True, routing_key="#")
    vistos, todos = 0, asyncio.Event()
    async with RabbitBroker(url, logger=None) as broker:
        await broker.declare_exchange(exchange)
        await (await broker.declare_queue(cola)).bind(nombre, "#")
        empezo = time.perf_counter()
        for _ in range(n // TANDA):
            await asyncio.gather(
                *(broker.publish(CUERPO, "banco.t", exchange=exchange, persist=True) for _ in range(TANDA))
            )
        publicar = n / (time.perf_counter() - empezo)
    consumidor = RabbitBroker(url, logger=None)  # sin anotar cada mensaje, que es lo que hace si no se le dice

    @consumidor.subscriber(cola, exchange)
    async def atender(_cuerpo: bytes) -> None:
        nonlocal vistos
        vistos += 1
        if vistos == n:
            todos.set()

    try:
        empezo = time.perf_counter()
        await consumidor.start()
        await todos.wait()
        return publicar, n / (time.perf_counter() - empezo)
    finally:
        await consumidor.stop()
        await _borrar(url, nombre, ("",))


async def _borrar(url: str, nombre: str, sufijos: tuple[str, ...]) -> None:
    async with await aio_pika.connect(url) as conexion:
        canal = await conexion.channel()
        for sufijo in sufijos:
            await canal.queue_delete(f"{nombre}{sufijo}")
        for exchange in (nombre, f"{nombre}.consumidores"):
            await canal.exchange_delete(exchange)


async def main(url: str, n: int) -> None:
    pruebas: dict[str, Any] = {"aio-pika": medir_aio_pika, "adaptador": medir_adaptador}
    if RabbitBroker is not None:
        pruebas["faststream"] = medir_faststream
    medidas: dict[str, list[Medida]] = {quien: [] for quien in pruebas}
    for vuelta in range(VUELTAS):
        for quien in list(pruebas)[:: 1 if vuelta % 2 else -1]:
            medidas[quien].append(await pruebas[quien](url, n))
    for i, que in enumerate(("publicar", "consumir")):
        de_crudo = [medida[i] for medida in medidas["aio-pika"]]
        for quien, suyas in medidas.items():
            razon = statistics.median(suya[i] / crudo for suya, crudo in zip(suyas, de_crudo, strict=True))
            media = statistics.median(suya[i] for suya in suyas)
            sys.stdout.write(f"{que:9} {quien:10} {media:8.0f}/s  razón {razon:5.2f}\n")


if __name__ == "__main__":
    url_por_defecto = os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1/")
    asyncio.run(
        main(sys.argv[1] if len(sys.argv) > 1 else url_por_defecto, int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
    )
