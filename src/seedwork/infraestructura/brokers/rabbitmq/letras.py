"""Las letras muertas: cada `<suscripcion>.dlq` se lee bajo un cerrojo, y vuelve como estaba.

Quien lee las toma todas, aunque mire unas pocas: RabbitMQ pone lo que vuelve detrás de lo que ya había vuelto, y
tomando sólo unas se desordenarían. Por eso mirar cuesta según cuántas haya.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from aiormq import Channel
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.brokers import LetraMuerta
from seedwork.infraestructura.brokers.rabbitmq import formato
from seedwork.infraestructura.brokers.rabbitmq.conexion import PLAZO_S, Conexion
from seedwork.infraestructura.brokers.rabbitmq.publicador import publicar
from seedwork.infraestructura.brokers.rabbitmq.topologia import Exchange, Nombres

_SEPARADOR = ":"


class LetrasMuertasRabbitMQ:
    """El id de una letra lleva el nombre de su suscripción. Verla cuesta recorrer las que tenga delante."""

    def __init__(self, preparada: Callable[[], Awaitable[Conexion]], exchange: Exchange) -> None:
        self._preparada = preparada
        self._exchange = exchange
        self._candado = asyncio.Lock()

    async def listar(self, suscripcion: str | None = None, *, maximo: int = 100) -> list[LetraMuerta]:
        encontradas: list[LetraMuerta] = []
        for nombres in await self._suscripciones(suscripcion):
            if len(encontradas) >= maximo:
                break
            async with self._letras(nombres) as letras:
                async for _, crudo in letras:
                    encontradas.append(_a_letra(nombres, crudo))
                    if len(encontradas) >= maximo:
                        break
        return encontradas

    async def ver(self, id: str) -> LetraMuerta | None:
        async with self._una(id) as encontrada:
            return None if encontrada is None else _a_letra(encontrada[0], encontrada[2])

    async def reenviar(self, id: str) -> bool:
        async with self._una(id) as encontrada:
            if encontrada is None:
                return False
            nombres, canal, crudo = encontrada
            propiedades = formato.copia(crudo, formato.a_mensaje(crudo).topico)
            await publicar(canal, [("", nombres.cola, crudo.body, propiedades)])
            await canal.basic_ack(crudo.delivery_tag or 0)
            return True

    async def descartar(self, id: str) -> bool:
        async with self._una(id) as encontrada:
            if encontrada is None:
                return False
            await encontrada[1].basic_ack(encontrada[2].delivery_tag or 0)
            return True

    async def _suscripciones(self, suscripcion: str | None) -> list[Nombres]:
        if suscripcion is not None:
            return [Nombres(suscripcion)]
        conexion = await self._preparada()
        nombres: dict[str, None] = {}
        async with self._sola(conexion, f"{self._exchange.suscripciones}.cerrojo"), conexion.un_canal() as canal:
            async for crudo in _sacar(canal, self._exchange.suscripciones):
                nombres[crudo.body.decode("utf-8", "replace")] = None
        return [Nombres(nombre) for nombre in sorted(nombres)]

    @asynccontextmanager
    async def _una(self, id: str) -> AsyncIterator[tuple[Nombres, Channel, DeliveredMessage] | None]:
        nombre, separador, _ = id.rpartition(_SEPARADOR)
        nombres = None
        if separador:
            with suppress(ErrorDeArranque, UnicodeEncodeError):
                nombres = Nombres(nombre)
        if nombres is None:
            yield None
            return
        async with self._letras(nombres) as letras:
            async for canal, crudo in letras:
                if _id(nombres, crudo) == id:
                    yield nombres, canal, crudo
                    return
            yield None

    @asynccontextmanager
    async def _letras(self, nombres: Nombres) -> AsyncIterator[AsyncIterator[tuple[Channel, DeliveredMessage]]]:
        """Las de una suscripción, de la más vieja a la más nueva; al salir, las no acusadas siguen como estaban."""
        conexion = await self._preparada()
        if not await conexion.existen(nombres.dlq):
            yield _ninguna()
            return
        async with self._sola(conexion, nombres.cerrojo("dlq")), conexion.un_canal(None) as canal:
            yield _todas(canal, nombres.dlq)

    @asynccontextmanager
    async def _sola(self, conexion: Conexion, cerrojo: str) -> AsyncIterator[None]:
        async with self._candado, conexion.cerrojo(cerrojo, PLAZO_S):
            yield


async def _sacar(canal: Channel, cola: str) -> AsyncIterator[DeliveredMessage]:
    while isinstance((crudo := await canal.basic_get(cola, timeout=PLAZO_S)).delivery, Basic.GetOk):
        yield crudo


async def _todas(canal: Channel, cola: str) -> AsyncIterator[tuple[Channel, DeliveredMessage]]:
    llegadas: asyncio.Queue[DeliveredMessage] = asyncio.Queue()

    async def llega(crudo: DeliveredMessage) -> None:
        llegadas.put_nowait(crudo)

    cuantas = (await canal.queue_declare(cola, passive=True)).message_count or 0
    await canal.basic_consume(cola, llega)
    for _ in range(cuantas):
        async with asyncio.timeout(PLAZO_S):
            crudo = await llegadas.get()
        yield canal, crudo


async def _ninguna() -> AsyncIterator[tuple[Channel, DeliveredMessage]]:
    nada: tuple[tuple[Channel, DeliveredMessage], ...] = ()
    for una in nada:
        yield una


def _id(nombres: Nombres, crudo: DeliveredMessage) -> str:
    propia = formato.propia(crudo, formato.LETRA)
    return f"{nombres.cola}{_SEPARADOR}{propia if isinstance(propia, str) else formato.huella(crudo)}"


def _a_letra(nombres: Nombres, crudo: DeliveredMessage) -> LetraMuerta:
    motivo = formato.propia(crudo, formato.MOTIVO)
    return LetraMuerta(
        id=_id(nombres, crudo),
        suscripcion=nombres.cola,
        mensaje=formato.a_mensaje(crudo),
        motivo=motivo if isinstance(motivo, str) else "",
        intentos=formato.entera(crudo, formato.INTENTOS),
        fecha_ms=formato.entera(crudo, formato.APARTADA),
    )
