"""Publicar con acuse y consumir confirmando: este adaptador frente a confluent-kafka a secas, en la misma corrida.

`python -m benchmarks.kafka [kafka://host:puerto]`; sin URL, la de `TEST_KAFKA_URL` o la de `make servidores`.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median

RAIZ = Path(__file__).parents[1]
sys.path[:0] = [str(RAIZ), str(RAIZ / "src")]

try:
    from faststream import AckPolicy
    from faststream.confluent import KafkaBroker
except ImportError:  # se mide al lado sólo con `make bench-vecinos`
    KafkaBroker = None

from confluent_kafka import Consumer, Producer  # noqa: E402
from tests.servidores import urls  # noqa: E402

from seedwork.infraestructura.brokers import Mensaje, conectar  # noqa: E402

CUANTOS = 30_000
LOTE = 500
CUERPO = b"x" * 200
VUELTAS = 5


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
        brutos = consumidor.consume(min(LOTE, CUANTOS - leidos), 1)  # el último, sin esperar a más
        for bruto in brutos:
            bruto.value(), bruto.key(), bruto.headers()
        leidos += len(brutos)
        consumidor.commit(asynchronous=False)
    ritmo = CUANTOS / (time.perf_counter() - empezo)
    consumidor.close()
    return ritmo


async def publicar_con_faststream(servidores: str, topico: str) -> float:
    """FastStream, que espera el acuse de cada mensaje; los de un lote, a la vez."""
    async with KafkaBroker(servidores, logger=None) as broker:
        empezo = time.perf_counter()
        for _ in range(0, CUANTOS, LOTE):
            await asyncio.gather(*(broker.publish(CUERPO, topico, key=str(n % 100).encode()) for n in range(LOTE)))
        return CUANTOS / (time.perf_counter() - empezo)


async def consumir_con_faststream(servidores: str, topico: str) -> float:
    """FastStream en lotes, con un acuse por lote."""
    broker = KafkaBroker(servidores, logger=None)
    hechos, empezo, listo = 0, 0.0, asyncio.Event()

    @broker.subscriber(  # type: ignore[untyped-decorator]
        topico,
        group_id=uuid.uuid4().hex,
        auto_offset_reset="earliest",
        batch=True,
        max_records=LOTE,
        polling_interval=1,
        ack_policy=AckPolicy.ACK,
    )
    async def atender(cuerpos: list[bytes]) -> None:
        nonlocal hechos, empezo
        empezo = empezo or time.perf_counter()
        hechos += len(cuerpos)
        if hechos >= CUANTOS:
            listo.set()

    async with broker:
        await broker.start()
        await asyncio.wait_for(listo.wait(), 120)
        return CUANTOS / (time.perf_counter() - empezo)


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
    ritmos: dict[tuple[str, str], list[float]] = defaultdict(list)
    for vuelta in range(VUELTAS):
        topico = f"bench.{uuid.uuid4().hex[:12]}"
        asyncio.run(_crear(url, topico))
        # Lo que ocupan las bibliotecas importadas no es de ninguno: que su recolector no lo recorra en plena medida.
        gc.collect()
        gc.freeze()
        medidas: dict[str, list[tuple[str, Callable[[], float]]]] = {
            "publicar": [
                ("seedwork", lambda t=topico: asyncio.run(publicar(url, t))),  # type: ignore[misc]
                ("a secas", lambda t=topico: publicar_a_secas(servidores, t)),  # type: ignore[misc]
            ],
            "consumir": [
                ("seedwork", lambda t=topico: asyncio.run(consumir(url, t))),  # type: ignore[misc]
                ("a secas", lambda t=topico: consumir_a_secas(servidores, t)),  # type: ignore[misc]
            ],
        }
        if KafkaBroker is not None:
            ajeno = f"{topico}.ajeno"
            asyncio.run(_crear(url, ajeno))
            medidas["publicar"].append(
                ("FastStream", lambda t=ajeno: asyncio.run(publicar_con_faststream(servidores, t)))  # type: ignore[misc]
            )
            medidas["consumir"].append(
                ("FastStream", lambda t=topico: asyncio.run(consumir_con_faststream(servidores, t)))  # type: ignore[misc]
            )
        for que, quienes in medidas.items():
            for quien, medir in quienes[:: -1 if vuelta % 2 else 1]:
                ritmos[que, quien].append(medir())
    for (que, quien), suyos in ritmos.items():
        razones = [suyo / crudo for suyo, crudo in zip(suyos, ritmos[que, "a secas"], strict=True)]
        sys.stdout.write(
            f"kafka {que:9} {quien:10} {median(suyos):10,.0f}/s"
            f"  razón {median(razones):.2f} ({min(razones):.2f} a {max(razones):.2f})\n"
        )


async def _crear(url: str, topico: str) -> None:
    broker = conectar(url)
    await (await broker.suscribir(f"{topico}-crear", [topico])).cerrar()
    await broker.cerrar()


if __name__ == "__main__":
    main()
