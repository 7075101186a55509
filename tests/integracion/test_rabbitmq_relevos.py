"""Consumidores de una suscripción de RabbitMQ que entran, dejan de esperar, devuelven, se van y mueren."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import defaultdict
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

from tests.contratos.banco import mensajes
from tests.contratos.banco_rabbitmq import url_de_rabbitmq
from tests.integracion.intermediario import Intermediario

from seedwork.infraestructura.brokers import BrokerNoDisponible, Entrega, Suscripcion, conectar

CLAVES = [f"k{i}" for i in range(8)]
POR_CLAVE = 150
RELEVOS = 24


class Libro:
    """Lo que vieron todos, clave a clave: nada se salta a otro, y lo confirmado no vuelve."""

    def __init__(self) -> None:
        self.vistos: dict[str, int] = defaultdict(lambda: -1)
        self.confirmados: dict[str, int] = defaultdict(lambda: -1)

    def ve(self, clave: str, numero: int) -> None:
        assert self.confirmados[clave] < numero <= self.vistos[clave] + 1, (clave, numero, self.vistos[clave])
        self.vistos[clave] = max(self.vistos[clave], numero)

    @property
    def completo(self) -> bool:
        """Si se confirmó lo último de cada clave, que se publica cuando ya nadie muere: a quien se va a mitad de una
        confirmación, RabbitMQ pudo aceptársela sin que él llegue a saberlo."""
        return all(self.confirmados[clave] == POR_CLAVE for clave in CLAVES)


async def _consumir(suscripcion: Suscripcion, libro: Libro, azar: random.Random) -> None:
    while True:
        try:
            async with asyncio.timeout(azar.choice([0.005, 0.05, 0.5])):
                entregas = await suscripcion.recibir(azar.choice([1, 5, 40]))
        except TimeoutError:
            continue
        for entrega in entregas:
            libro.ve(entrega.mensaje.clave or "", int(entrega.mensaje.cuerpo))
        await asyncio.sleep(azar.random() * 0.02)
        corte = azar.randint(0, len(entregas))
        with suppress(BrokerNoDisponible):  # si no se pudo, siguen siendo suyas y al irse vuelven
            await _responder(suscripcion, entregas, corte, libro)


async def _responder(suscripcion: Suscripcion, entregas: list[Entrega], corte: int, libro: Libro) -> None:
    await suscripcion.confirmar(entregas[:corte])
    for entrega in entregas[:corte]:
        libro.confirmados[entrega.mensaje.clave or ""] = int(entrega.mensaje.cuerpo)
    await suscripcion.devolver(entregas[corte:])


async def _estar(nombre: str, libro: Libro, azar: random.Random, *, hasta_el_final: bool = False) -> None:
    """Un consumidor por una conexión propia, que al cabo se va o muere: su conexión se corta sin despedirse."""
    partes = urlsplit(url_de_rabbitmq())
    acceso = partes.netloc.rpartition("@")[0]
    async with Intermediario(partes.port or 5672).abierto() as intermediario:
        netloc = f"{acceso}@127.0.0.1:{intermediario.puerto}"
        broker = conectar(urlunsplit(partes._replace(netloc=netloc, query=f"exchange={nombre}")))
        suscripcion = await broker.suscribir(nombre, ["a"])
        consumiendo = asyncio.create_task(_consumir(suscripcion, libro, azar))
        if hasta_el_final:
            while not libro.completo and not consumiendo.done():
                await asyncio.sleep(0.05)
        else:
            await asyncio.wait([consumiendo], timeout=azar.uniform(0.05, 1.0))
        consumiendo.cancel()
        with suppress(asyncio.CancelledError):
            await consumiendo
        if azar.random() < 0.4:
            intermediario.colgar(atiende=False)
        await broker.cerrar()


async def test_con_consumidores_que_entran_se_van_y_mueren_cada_clave_va_en_orden_y_nada_se_atasca() -> None:
    nombre, libro, azar = f"t{uuid.uuid4().hex[:12]}", Libro(), random.Random(7)  # noqa: S311 - repetible
    publicador = conectar(f"{url_de_rabbitmq()}?exchange={nombre}")
    await publicador.publicar([m for clave in CLAVES for m in mensajes("a", POR_CLAVE // 2, clave)])

    async def relevarse(semilla: int) -> None:
        suyo = random.Random(semilla)  # noqa: S311 - repetible
        for _ in range(RELEVOS // 3):
            await _estar(nombre, libro, suyo)

    async with asyncio.timeout(120):
        relevos = [asyncio.create_task(relevarse(azar.randrange(10**6))) for _ in range(3)]
        await publicador.publicar([m for c in CLAVES for m in mensajes("a", POR_CLAVE // 2, c, desde=POR_CLAVE // 2)])
        await asyncio.gather(*relevos)
        await publicador.publicar([m for clave in CLAVES for m in mensajes("a", 1, clave, desde=POR_CLAVE)])
        await _estar(nombre, libro, azar, hasta_el_final=True)
    assert libro.completo
    await publicador.cerrar()
