"""Redis: el adaptador frente a redis-py a secas, en la misma corrida, con mensajes de 200 bytes.

`python -m benchmarks.redis [URL] [MENSAJES]`; sin URL, la de `TEST_REDIS_URL`. Las cifras son mensajes por segundo, la
mediana de tres vueltas alternadas; la latencia, la de un mensaje suelto con el consumidor dormido. Si está instalado
FastStream, se mide al lado: los mismos pipelines, y lecturas con un acuse cada una.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis

from seedwork.infraestructura.brokers import Broker, Mensaje, conectar

try:
    from faststream.redis import RedisBroker, StreamSub
except ImportError:
    RedisBroker = None

LOTE, TOMA, VUELTAS = 200, 500, 3
CUERPO = b"x" * 200


async def por_segundo(cuantos: int, tarea: Callable[[], Awaitable[None]]) -> float:
    empezo = time.perf_counter()
    await tarea()
    return cuantos / (time.perf_counter() - empezo)


class Crudo:
    """redis-py a secas: un pipeline de XADD, y un grupo que acusa cada mensaje o cada lectura."""

    def __init__(self, url: str, cuantos: int) -> None:
        self.cliente: Any = Redis.from_url(url)
        self.cuantos = cuantos
        self.stream = f"banco-{uuid.uuid4().hex}"

    async def publicar(self) -> None:
        for desde in range(0, self.cuantos, LOTE):
            async with self.cliente.pipeline(transaction=False) as envio:
                for i in range(desde, min(desde + LOTE, self.cuantos)):
                    envio.xadd(self.stream, {b"key": f"k{i % 1000}".encode(), b"data": CUERPO})
                await envio.execute()

    async def consumir(self, *, cada_uno: bool) -> None:
        grupo = uuid.uuid4().hex
        await self.cliente.xgroup_create(self.stream, grupo, id="0")
        leidos = 0
        while leidos < self.cuantos:
            [(_, filas)] = await self.cliente.xreadgroup(grupo, "c", {self.stream: ">"}, count=TOMA)
            leidos += len(filas)
            if cada_uno:
                for id, _ in filas:
                    await self.cliente.xack(self.stream, grupo, id)
            else:
                await self.cliente.xack(self.stream, grupo, *[id for id, _ in filas])

    async def cerrar(self) -> None:
        await self.cliente.delete(self.stream)
        await self.cliente.aclose()


class Adaptador:
    """Lo mismo por el puerto."""

    def __init__(self, broker: Broker, cuantos: int) -> None:
        self.broker = broker
        self.cuantos = cuantos
        self.topico = f"banco-{uuid.uuid4().hex}"

    async def publicar(self) -> None:
        for desde in range(0, self.cuantos, LOTE):
            await self.broker.publicar(
                [
                    Mensaje(topico=self.topico, cuerpo=CUERPO, clave=f"k{i % 1000}")
                    for i in range(desde, min(desde + LOTE, self.cuantos))
                ]
            )

    async def consumir(self) -> None:
        suscripcion = await self.broker.suscribir(uuid.uuid4().hex, [self.topico])
        leidos = 0
        while leidos < self.cuantos:
            entregas = await suscripcion.recibir(TOMA)
            leidos += len(entregas)
            await suscripcion.confirmar(entregas)
        await suscripcion.cerrar()

    async def latencia_ms(self) -> float:
        topico = f"{self.topico}.latencia"
        suscripcion = await self.broker.suscribir(uuid.uuid4().hex, [topico])
        tiempos = []
        for _ in range(50):
            espera = asyncio.create_task(suscripcion.recibir(1))
            await asyncio.sleep(0.02)
            empezo = time.perf_counter()
            await self.broker.publicar([Mensaje(topico=topico, cuerpo=CUERPO)])
            entregas = await espera
            tiempos.append((time.perf_counter() - empezo) * 1000)
            await suscripcion.confirmar(entregas)
        await suscripcion.cerrar()
        return statistics.median(tiempos)


class FastStream:
    """FastStream: publica en un stream por pipelines y lo consume en un grupo, por lotes."""

    def __init__(self, url: str, cuantos: int) -> None:
        self.broker = RedisBroker(url, logger=None)
        self.cliente: Any = Redis.from_url(url)
        self.cuantos = cuantos
        self.stream = f"banco-{uuid.uuid4().hex}"

    async def publicar(self) -> None:
        await self.broker.connect()
        for desde in range(0, self.cuantos, LOTE):
            async with self.cliente.pipeline(transaction=False) as envio:
                for _ in range(desde, min(desde + LOTE, self.cuantos)):
                    await self.broker.publish(CUERPO, stream=self.stream, pipeline=envio)
                await envio.execute()

    async def consumir(self) -> None:
        grupo, leidos, todos = uuid.uuid4().hex, 0, asyncio.Event()
        await self.cliente.xgroup_create(self.stream, grupo, id="0")

        @self.broker.subscriber(
            stream=StreamSub(self.stream, group=grupo, consumer="c", batch=True, max_records=TOMA, polling_interval=100)
        )
        async def atender(cuerpos: list[bytes]) -> None:
            nonlocal leidos
            leidos += len(cuerpos)
            if leidos >= self.cuantos:
                todos.set()

        await self.broker.start()
        await todos.wait()

    async def cerrar(self) -> None:
        await self.broker.stop()
        await self.cliente.delete(self.stream)
        await self.cliente.aclose()


async def main(url: str, cuantos: int) -> None:
    prefijo = f"banco-{uuid.uuid4().hex[:8]}"
    broker = conectar(f"{url}?prefijo={prefijo}")
    cifras: dict[str, list[float]] = {}
    crudo = Crudo(url, cuantos)
    for _ in range(VUELTAS):
        adaptador = Adaptador(broker, cuantos)
        pruebas: dict[str, Callable[[], Awaitable[None]]] = {
            "publicar, redis-py en pipeline de 200": crudo.publicar,
            "publicar, adaptador en lotes de 200": adaptador.publicar,
            "consumir, redis-py con un acuse por mensaje": lambda: crudo.consumir(cada_uno=True),
            "consumir, redis-py con un acuse por lectura": lambda: crudo.consumir(cada_uno=False),
            "consumir, adaptador": adaptador.consumir,
        }
        if RedisBroker is not None:
            ajeno = FastStream(url, cuantos)
            pruebas["publicar, FastStream en pipeline de 200"] = ajeno.publicar
            pruebas["consumir, FastStream con un acuse por lectura"] = ajeno.consumir
        for nombre, prueba in pruebas.items():
            cifras.setdefault(nombre, []).append(await por_segundo(cuantos, prueba))
        if RedisBroker is not None:
            await ajeno.cerrar()
        latencia_ms = await adaptador.latencia_ms()
        await crudo.cliente.delete(crudo.stream)
    medianas = {nombre: statistics.median(valores) for nombre, valores in cifras.items()}
    for nombre, valor in medianas.items():
        sys.stdout.write(f"{nombre:45} {valor:10,.0f} /s\n")
    publicar_crudo, publicar, de_uno_en_uno, _, consumir, *_ = medianas.values()
    sys.stdout.write(f"publicar {publicar / publicar_crudo:.2f} (meta 0.85)\n")
    sys.stdout.write(f"consumir {consumir / de_uno_en_uno:.2f} (meta 4.5)\n")
    sys.stdout.write(f"latencia en reposo {latencia_ms:.2f} ms (meta 5)\n")
    await broker.cerrar()
    async for clave in crudo.cliente.scan_iter(match=f"{{{prefijo}}}*", count=1000):
        await crudo.cliente.delete(clave)
    await crudo.cerrar()


if __name__ == "__main__":
    asyncio.run(
        main(
            sys.argv[1] if len(sys.argv) > 1 else os.environ["TEST_REDIS_URL"],
            int(sys.argv[2]) if len(sys.argv) > 2 else 20_000,
        )
    )
