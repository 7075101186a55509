"""Cuánto cuesta al event loop cada parte de recibir y acusar en Pulsar, en microsegundos por mensaje.

`python -m benchmarks.pulsar_por_partes [mensajes]`, con el servidor de `python -m tests.servidores arrancar pulsar`.
Los mensajes son de un servidor de verdad; cada parte se mide sola, con ellos ya en la memoria.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulsar

RAIZ = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(RAIZ), str(RAIZ / "src")]

from benchmarks.pulsar import LOTE, mensajes_en, url_del_servidor  # noqa: E402

from seedwork.infraestructura.brokers import Entrega, conectar  # noqa: E402
from seedwork.infraestructura.brokers.pulsar.formato import de_pulsar, id_de  # noqa: E402
from seedwork.infraestructura.brokers.pulsar.manos import en_tramos  # noqa: E402
from seedwork.infraestructura.brokers.pulsar.reserva import Reserva, Tomada  # noqa: E402

_TANDA = 200  # lo que trae el grifo de una vez


def medir(url: str, cuantos: int) -> Iterator[tuple[str, float]]:
    """El nombre de cada parte y sus microsegundos por mensaje."""

    def parte(nombre: str, funcion: Callable[[], Any]) -> tuple[str, float]:
        inicio = time.perf_counter()
        funcion()
        return nombre, (time.perf_counter() - inicio) / cuantos * 1e6

    topico = f"bench{uuid.uuid4().hex}"
    asyncio.run(_publicar(url, topico, cuantos))
    cliente = pulsar.Client(url.partition("?")[0], logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error))
    consumidor = cliente.subscribe(
        topico, "s", initial_position=pulsar.InitialPosition.Earliest, receiver_queue_size=2 * cuantos,
        max_total_receiver_queue_size_across_partitions=4 * cuantos,
    )  # fmt: skip
    recibidos = [consumidor.receive(30_000)]
    time.sleep(5)  # que el cliente los tenga ya todos
    yield parte("sacarlo del cliente", lambda: recibidos.extend(consumidor.receive(30_000) for _ in range(cuantos - 1)))
    ids: list[Any] = []
    yield parte("su identificador", lambda: ids.extend(map(id_de, recibidos)))
    abiertos: list[Any] = []
    yield parte("abrirlo", lambda: abiertos.extend(de_pulsar(r, i.topico) for r, i in zip(recibidos, ids, strict=True)))
    reserva, tomadas = Reserva(), list[Tomada]()

    def guardar() -> None:
        for id, recibido, (mensaje, _) in zip(ids, recibidos, abiertos, strict=True):
            if id not in reserva.tengo and not reserva.hecha(id):
                tomadas.append(Tomada(id, 0, consumidor, recibido, mensaje, 0, 0))
        reserva.tomar(tomadas)

    yield parte("guardarlo", guardar)
    # Cada vuelta anota todo lo que se tiene: lo que trae el grifo, y lo dado y sin confirmar.
    vueltas = range(0, cuantos, _TANDA)
    yield parte("anotarlo, con 200 en la mano", lambda: [en_tramos(ids[i : i + _TANDA]) for i in vueltas])
    yield parte("anotarlo, con 1 000", lambda: [en_tramos(ids[i : i + 1_000]) for i in vueltas if i + 1_000 <= cuantos])
    yield parte("ponerlo en fila", lambda: [reserva.poner(tomada) for tomada in tomadas])
    entregas: list[Entrega] = []

    def dar() -> None:
        while dadas := reserva.sacar(LOTE, ()):
            entregas.extend(Entrega(t.mensaje, t.intentos, t.sospechosa, t) for t in dadas)

    yield parte("darlo", dar)
    yield parte("soltarlo", lambda: [reserva.soltar(entrega.referencia) for entrega in entregas])
    yield parte("acusarlo", lambda: [consumidor.acknowledge(recibido) for recibido in recibidos])
    cliente.close()


async def _publicar(url: str, topico: str, cuantos: int) -> None:
    broker = conectar(url)
    await (await broker.suscribir(topico, [topico])).cerrar()
    mensajes = mensajes_en(topico, cuantos)
    for base in range(0, cuantos, LOTE):
        await broker.publicar(mensajes[base : base + LOTE])
    await broker.cerrar()


def main() -> None:
    for nombre, microsegundos in medir(url_del_servidor(), int(sys.argv[1]) if len(sys.argv) > 1 else 20_000):
        sys.stdout.write(f"{nombre:32} {microsegundos:6.2f}\n")


if __name__ == "__main__":
    main()
