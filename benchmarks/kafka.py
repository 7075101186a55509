"""Publicar con acuse y consumir confirmando: este adaptador frente a confluent-kafka a secas, en la misma corrida.

`python benchmarks/kafka.py [kafka://host:puerto]`; sin URL, la de `TEST_KAFKA_URL` o la de `make servidores`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid
from pathlib import Path

RAIZ = Path(__file__).parents[1]
sys.path[:0] = [str(RAIZ), str(RAIZ / "src")]

from confluent_kafka import Consumer, Producer  # noqa: E402
from tests.servidores import urls  # noqa: E402

from seedwork.infraestructura.brokers import Mensaje, conectar  # noqa: E402

CUANTOS = 60_000
LOTE = 500
CUERPO = b"x" * 200
VUELTAS = 3


def publicar_a_secas(servidores: str, topico: str) -> float:
    productor = Producer({"bootstrap.servers": servidores, "acks": "all", "enable.idempotence": True})
    productor.list_topics(timeout=5)
    acusados = 0

    def acuse(error: object, _mensaje: object) -> None:
        nonlocal acusados
        assert error is None  # noqa: S101 - si no, la medida no vale
        acusados += 1

    claves = [str(n % 100) for n in range(LOTE)]
    empezo = time.perf_counter()
    for _ in range(0, CUANTOS, LOTE):
        for clave in claves:
            productor.produce(topico, CUERPO, clave, on_delivery=acuse)
        productor.flush()
    assert acusados == CUANTOS  # noqa: S101
    return CUANTOS / (time.perf_counter() - empezo)


def consumir_a_secas(servidores: str, topico: str) -> float:
    consumidor = Consumer(
        {
            "bootstrap.servers": servidores,
            "group.id": uuid.uuid4().hex,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    consumidor.subscribe([topico])
    leidos = len(consumidor.consume(1, 10))
    empezo = time.perf_counter()
    while leidos < CUANTOS:
        brutos = consumidor.consume(LOTE, 1)
        for bruto in brutos:
            bruto.value(), bruto.key()
        leidos += len(brutos)
        consumidor.commit(asynchronous=False)
    ritmo = CUANTOS / (time.perf_counter() - empezo)
    consumidor.close()
    return ritmo


async def publicar(url: str, topico: str) -> float:
    broker = conectar(url)
    await broker.publicar([Mensaje(topico=f"{topico}.antes", cuerpo=b"")])
    lote = [Mensaje(topico=topico, cuerpo=CUERPO, clave=str(n % 100)) for n in range(LOTE)]
    empezo = time.perf_counter()
    for _ in range(0, CUANTOS, LOTE):
        await broker.publicar(lote)
    ritmo = CUANTOS / (time.perf_counter() - empezo)
    await broker.cerrar()
    return ritmo


async def consumir(url: str, topico: str) -> float:
    broker = conectar(url)
    suscripcion = await broker.suscribir(uuid.uuid4().hex, [topico])
    leidos = await suscripcion.recibir(1)
    await suscripcion.confirmar(leidos)
    empezo, hechos = time.perf_counter(), 1
    acuse = asyncio.create_task(asyncio.sleep(0))
    while hechos < CUANTOS:
        entregas = await suscripcion.recibir(LOTE)
        hechos += len(entregas)
        await acuse  # como el motor: se confirma un lote mientras se recibe el siguiente
        acuse = asyncio.create_task(suscripcion.confirmar(entregas))
    await acuse
    ritmo = CUANTOS / (time.perf_counter() - empezo)
    await broker.cerrar()
    return ritmo


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TEST_KAFKA_URL") or urls()["TEST_KAFKA_URL"]
    servidores = url.removeprefix("kafka://").partition("?")[0]
    mejores = dict.fromkeys(("publicar a secas", "publicar", "consumir a secas", "consumir"), 0.0)
    for _ in range(VUELTAS):
        topico = f"bench.{uuid.uuid4().hex[:12]}"
        asyncio.run(_crear(url, topico))
        medidas = {
            "publicar": asyncio.run(publicar(url, topico)),
            "consumir": asyncio.run(consumir(url, topico)),
            "consumir a secas": consumir_a_secas(servidores, topico),
            "publicar a secas": publicar_a_secas(servidores, topico),
        }
        mejores = {nombre: max(mejor, medidas[nombre]) for nombre, mejor in mejores.items()}
    for que in ("publicar", "consumir"):
        nuestro, suyo = mejores[que], mejores[f"{que} a secas"]
        sys.stdout.write(f"kafka {que}: {nuestro:,.0f}/s, a secas {suyo:,.0f}/s, razón {nuestro / suyo:.2f}\n")


async def _crear(url: str, topico: str) -> None:
    broker = conectar(url)
    await (await broker.suscribir(f"{topico}-crear", [topico])).cerrar()
    await broker.cerrar()


if __name__ == "__main__":
    main()
