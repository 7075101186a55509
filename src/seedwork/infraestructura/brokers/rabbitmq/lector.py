"""Una lectura efímera: un consumidor del stream, cuya posición sólo está en memoria."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from aiormq import Channel
from aiormq.abc import DeliveredMessage

from seedwork.infraestructura.brokers import BrokerNoDisponible, ErrorBroker, Mensaje
from seedwork.infraestructura.brokers.rabbitmq import formato
from seedwork.infraestructura.brokers.rabbitmq.conexion import Conexion

_log = structlog.get_logger(__name__)

_PREFETCH = 64
_POSICION = "x-stream-offset"
_MARGEN_S = 5.0  # el stream se busca con el reloj del servidor, y al segundo
_VUELTA_S = 0.5
_LOTE_BYTES = 4 * 1024 * 1024


class LectorRabbitMQ:
    """Lee `cola`; si la conexión se cae, sigue por donde iba."""

    def __init__(self, url: str, cola: str, coincide: Callable[[str], bool], desde_hace_s: float) -> None:
        self._conexion = Conexion(url, "seedwork leer")
        self._cola = cola
        self._coincide = coincide
        self._desde_ms = formato.ahora_ms() - int(desde_hace_s * 1000)
        self._filtrar = desde_hace_s > 0
        self._siguiente: int | datetime | str = "next"
        if self._filtrar:
            self._siguiente = _con_margen(self._desde_ms)
        self._canal: Channel | None = None
        self._llegados: deque[DeliveredMessage] = deque()
        self._novedad = asyncio.Event()
        self._vida: asyncio.Task[None] | None = None
        self._fallo: ErrorBroker | None = None
        self.cerrado = False

    async def empezar(self) -> None:
        try:
            await self._consumir()
        except BaseException:
            await self._conexion.cerrar()
            raise
        self._vida = asyncio.create_task(self._vivir())

    async def _consumir(self) -> None:
        argumentos: dict[str, Any] = {"x-stream-offset": self._siguiente}
        async with self._conexion.hablando():
            canal = await self._conexion.canal()
            await canal.basic_qos(prefetch_count=_PREFETCH)
            self._canal = canal
            self._llegados.clear()  # los del canal anterior vuelven a llegar por éste
            await canal.basic_consume(self._cola, self._llega, arguments=argumentos)

    async def _vivir(self) -> None:
        while True:
            assert self._canal is not None  # noqa: S101 - `empezar` lo abrió
            with suppress(Exception, asyncio.CancelledError):
                await self._canal.closing
            tarea = asyncio.current_task()
            if tarea is not None and tarea.cancelling():
                return
            self._fijar_desde()
            await self._conexion.soltar()
            await asyncio.sleep(_VUELTA_S)
            try:
                await self._consumir()
            except BrokerNoDisponible as error:
                _log.warning("broker.sin_conexion", leyendo=self._cola, error=str(error))
            except ErrorBroker as error:
                self._fallo = error
                self._novedad.set()
                return

    def _fijar_desde(self) -> None:
        """Si aún no llegó nada, al volver "lo siguiente" sería otro: vale lo publicado desde que empezó."""
        if self._siguiente == "next":
            self._siguiente = _con_margen(self._desde_ms)
            self._filtrar = True

    async def _llega(self, crudo: DeliveredMessage) -> None:
        posicion = formato.propia(crudo, _POSICION)
        if not isinstance(self._siguiente, int) and isinstance(posicion, int):
            self._siguiente = posicion
        self._llegados.append(crudo)
        self._novedad.set()

    async def recibir(self, maximo: int) -> list[Mensaje]:
        while not self.cerrado:
            if self._fallo is not None:
                raise self._fallo
            self._novedad.clear()
            mensajes, ultimo = self._recoger(maximo)
            if ultimo is not None:
                await self._acusar(ultimo)
            if mensajes:
                return mensajes
            if not self._llegados:
                await self._novedad.wait()
        return []

    def _recoger(self, maximo: int) -> tuple[list[Mensaje], DeliveredMessage | None]:
        mensajes: list[Mensaje] = []
        leidos, ultimo = 0, None
        while self._llegados and len(mensajes) < maximo and leidos < _LOTE_BYTES:
            ultimo = self._llegados.popleft()
            posicion = formato.propia(ultimo, _POSICION)
            if isinstance(posicion, int):
                self._siguiente = posicion + 1
            if self._interesa(ultimo):
                mensajes.append(formato.a_mensaje(ultimo))
                leidos += len(ultimo.body)
        return mensajes, ultimo

    def _interesa(self, crudo: DeliveredMessage) -> bool:
        if formato.propia(crudo, formato.MARCA) is not None or not self._coincide(crudo.routing_key or ""):
            return False
        publicado = formato.publicado_ms(crudo) if self._filtrar else None
        return publicado is None or publicado >= self._desde_ms

    async def _acusar(self, ultimo: DeliveredMessage) -> None:
        # Sólo pide más: en un stream acusar no borra nada. Si el canal se cayó, el nuevo lo pedirá.
        with suppress(Exception):
            await ultimo.channel.basic_ack(ultimo.delivery_tag or 0, multiple=True, wait=False)

    async def cerrar(self) -> None:
        if self.cerrado:
            return
        self.cerrado = True
        self._novedad.set()
        if self._vida is not None:
            self._vida.cancel()
            await asyncio.wait([self._vida])
        await self._conexion.cerrar()


def _con_margen(fecha_ms: int) -> datetime:
    return datetime.fromtimestamp(max(0.0, fecha_ms / 1000 - _MARGEN_S), UTC)
