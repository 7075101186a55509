"""Dar de alta una suscripción: su cola, y delante de lo que le llegue, lo que guarda el log.

Primero se ata la cola; después se copia el log a `relleno`, que se lee antes, hasta una marca puesta tras atarla. Lo
publicado mientras se ataba puede estar en los dos sitios: la sentinela con que acaba el relleno lo dice, y quien
reparte lo descarta hasta ver en la cola otra marca. Si quien da el alta muere a mitad, el siguiente empieza de nuevo.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import deque
from collections.abc import AsyncIterator, Sequence

from aiormq import Channel
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from seedwork.infraestructura.brokers import compilar_patrones
from seedwork.infraestructura.brokers.rabbitmq.conexion import Conexion
from seedwork.infraestructura.brokers.rabbitmq.formato import MARCA, copia, huella, propia
from seedwork.infraestructura.brokers.rabbitmq.publicador import publicar
from seedwork.infraestructura.brokers.rabbitmq.registro import Acta, Registro
from seedwork.infraestructura.brokers.rabbitmq.topologia import Exchange, Nombres, atar

SENTINELA, ATADA = "sentinela", "atada"  # las marcas del final del relleno, y de la cola
_PREFETCH_LOG = 100
_TANDA = 200


async def dar_de_alta(
    conexion: Conexion, exchange: Exchange, nombres: Nombres, patrones: Sequence[str], desde: str
) -> None:
    """La crea si no existe, y con todo lo que el log guarda para ella si `desde` es "inicio"."""
    if not await _entera(conexion, nombres):
        async with conexion.cerrojo(nombres.cerrojo("alta"), None):
            if not await _entera(conexion, nombres):
                await _crear(conexion, exchange, nombres, patrones, desde)


async def _entera(conexion: Conexion, nombres: Nombres) -> bool:
    return await conexion.existen(nombres.cola) and not await conexion.existen(nombres.alta)


async def _crear(conexion: Conexion, exchange: Exchange, nombres: Nombres, patrones: Sequence[str], desde: str) -> None:
    async with conexion.un_canal() as canal:
        await canal.queue_declare(nombres.alta, durable=True)
        for cola in (nombres.cola, nombres.relleno, nombres.registro):  # de un alta a medias: nadie ha leído de ellas
            await canal.queue_delete(cola)
        await nombres.declarar_cola(canal)
        await nombres.declarar_resto(canal)
        antes = await _marcar(canal, exchange.log)
        await atar(canal, nombres.cola, exchange.nombre, patrones)
        despues = await _marcar(canal, exchange.log)
        await _marcar(canal, nombres.cola, ATADA)
    copiados = 0
    if desde == "inicio":
        copiados = await _copiar(conexion, exchange, nombres, patrones, antes, despues)
    async with conexion.un_canal() as canal:
        registro = Registro(canal, nombres.registro)
        registro.acta = Acta(patrones=sorted(patrones), relleno=bool(copiados))
        await registro.escribir()
        await publicar(canal, [("", exchange.suscripciones, nombres.cola.encode(), Basic.Properties(delivery_mode=2))])
        await canal.queue_delete(nombres.alta)


async def _marcar(canal: Channel, cola: str, marca: str | None = None) -> str:
    marca = marca or uuid.uuid4().hex
    await publicar(canal, [("", cola, b"", _con_marca(marca))])
    return marca


def _con_marca(marca: str) -> Basic.Properties:
    return Basic.Properties(headers={MARCA: marca}, delivery_mode=2)


async def _copiar(
    conexion: Conexion, exchange: Exchange, nombres: Nombres, patrones: Sequence[str], antes: str, despues: str
) -> int:
    """Lo del log hasta `despues`, al relleno; devuelve cuánto."""
    coincide = compilar_patrones(patrones)
    tanda: list[tuple[str, str, bytes, Basic.Properties]] = []
    repetibles: list[str] = []
    atando, copiados = False, 0
    async with conexion.un_canal(None) as origen, conexion.un_canal(None) as destino:
        async for crudo in _consumir(origen, exchange.log, _PREFETCH_LOG, {"x-stream-offset": "first"}):
            await origen.basic_ack(crudo.delivery_tag or 0, wait=False)
            marca = propia(crudo, MARCA)
            if marca == despues:
                break
            atando = atando or marca == antes
            topico = crudo.routing_key or ""
            if marca is not None or not coincide(topico):
                continue
            if not copiados:
                await nombres.declarar_relleno(destino)
            copiados += 1
            tanda.append(("", nombres.relleno, crudo.body, copia(crudo, topico)))
            if atando:
                repetibles.append(huella(crudo))
            if len(tanda) >= _TANDA:
                await publicar(destino, tanda)
                tanda.clear()
        if copiados:
            sentinela = ("", nombres.relleno, json.dumps(repetibles).encode(), _con_marca(SENTINELA))
            await publicar(destino, [*tanda, sentinela])
    return copiados


async def _consumir(
    canal: Channel, cola: str, prefetch: int, argumentos: dict[str, str]
) -> AsyncIterator[DeliveredMessage]:
    """Lo que da la cola, hasta que quien itera lo deje o se cierre el canal."""
    llegados: deque[DeliveredMessage] = deque()
    novedad = asyncio.Event()

    async def llega(crudo: DeliveredMessage) -> None:
        llegados.append(crudo)
        novedad.set()

    await canal.basic_qos(prefetch_count=prefetch)
    await canal.basic_consume(cola, llega, arguments=dict(argumentos))
    canal.closing.add_done_callback(lambda _: novedad.set())
    while not canal.is_closed:
        await novedad.wait()
        novedad.clear()
        while llegados:
            yield llegados.popleft()
    raise ConnectionResetError("RabbitMQ cerró el canal")
