"""Una lectura efímera: lectores de Pulsar, cuya posición sólo está en memoria."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import pulsar
import structlog

from seedwork.infraestructura.brokers import ErrorBroker, Mensaje
from seedwork.infraestructura.brokers.pulsar.cliente import PLAZO_CIERRE_S, Cliente
from seedwork.infraestructura.brokers.pulsar.conversacion import EXPLORACION_S, Conversacion
from seedwork.infraestructura.brokers.pulsar.direccion import es_patron, nombre_de
from seedwork.infraestructura.brokers.pulsar.formato import de_pulsar
from seedwork.infraestructura.brokers.pulsar.grifo import Grifo
from seedwork.infraestructura.brokers.pulsar.particiones import Particiones

_log = structlog.get_logger(__name__)

_COLA = 200
_RESERVA_MAXIMO = 1_000
_LOTE_BYTES = 4 * 1024 * 1024


class LectorPulsar:
    """Una copia propia de lo publicado desde un momento."""

    def __init__(
        self,
        cliente: Cliente,
        conversacion: Conversacion,
        particiones: Particiones,
        topicos: Sequence[str],
        coincide: Callable[[str], bool],
        desde_hace_s: float,
    ) -> None:
        self._cliente = cliente
        self._conversacion = conversacion
        self._particiones = particiones
        self._topicos = topicos
        self._coincide = coincide
        self._desde_ms = int((time.time() - desde_hace_s) * 1000)
        self._desde_ahora = desde_hace_s == 0
        self._lectores: dict[str, pulsar.Reader] = {}
        self._grifos: list[Grifo] = []
        self._reserva: deque[Mensaje] = deque()
        self._hay = asyncio.Event()
        self._explorador: asyncio.Task[None] | None = None
        self._cerrado = False

    async def abrir(self) -> None:
        try:
            for topico in self._topicos:
                if not es_patron(topico):
                    await self._abrir(await self._particiones.de(self._cliente.direccion.topico(topico)), nuevos=False)
            if any(map(es_patron, self._topicos)):
                await self._explorar(nuevos=False)
                self._explorador = asyncio.create_task(self._seguir_explorando())
        except BaseException:
            await asyncio.shield(self.cerrar())
            raise

    async def _seguir_explorando(self) -> None:
        while True:
            await asyncio.sleep(EXPLORACION_S)
            try:
                await self._explorar(nuevos=True)
            except ErrorBroker as error:
                _log.warning("broker.sin_explorar", error=str(error))  # se repite enseguida

    async def _explorar(self, *, nuevos: bool) -> None:
        direccion = self._cliente.direccion
        hay = [direccion.topico(t) for t in await self._conversacion.topicos() if self._coincide(nombre_de(t))]
        await self._abrir([topico for topico in hay if topico not in self._lectores], nuevos=nuevos)

    async def _abrir(self, topicos: Sequence[str], *, nuevos: bool) -> None:
        await asyncio.gather(*(self._abrir_uno(topico, nuevo=nuevos) for topico in topicos))

    async def _abrir_uno(self, topico: str, *, nuevo: bool) -> None:
        lector = await self._cliente.hacer(partial(self._crear, topico, nuevo=nuevo), pulsar.Reader.close)
        self._lectores[topico] = lector
        self._grifos.append(Grifo(lector, self._llega, "lector"))

    def _crear(self, topico: str, cliente: pulsar.Client, *, nuevo: bool) -> pulsar.Reader:
        ahora = self._desde_ahora and not nuevo
        inicio = pulsar.MessageId.latest if ahora else pulsar.MessageId.earliest
        lector = cliente.create_reader(topico, inicio, receiver_queue_size=_COLA)
        if not ahora and not nuevo:
            lector.seek(self._desde_ms)
        return lector

    def _llega(self, recibidos: list[pulsar.Message]) -> None:
        for recibido in recibidos:
            if self._desde_ahora or recibido.publish_timestamp() >= self._desde_ms:
                self._reserva.append(de_pulsar(recibido, recibido.topic_name())[0])
        self._hay.set()
        self._regular()

    def _regular(self) -> None:
        for grifo in self._grifos:
            grifo.abrir() if len(self._reserva) < _RESERVA_MAXIMO else grifo.cortar()

    async def recibir(self, maximo: int) -> list[Mensaje]:
        while not (self._cerrado or self._cliente.cerrado):
            self._hay.clear()
            mensajes: list[Mensaje] = []
            ocupados = 0
            while self._reserva and len(mensajes) < maximo and ocupados < _LOTE_BYTES:
                mensajes.append(self._reserva.popleft())
                ocupados += len(mensajes[-1].cuerpo)
            if mensajes:
                self._regular()
                return mensajes
            await self._hay.wait()
        return []

    async def cerrar(self) -> None:
        if self._cerrado:
            return
        self._cerrado = True
        self._hay.set()
        if self._explorador is not None:
            self._explorador.cancel()
            await asyncio.gather(self._explorador, return_exceptions=True)
        await asyncio.gather(*(grifo.cerrar() for grifo in self._grifos))
        with suppress(TimeoutError):  # son uno por partición, y el que quede abierto muere con la conexión
            async with asyncio.timeout(PLAZO_CIERRE_S):
                await asyncio.gather(*(self._soltar(lector) for lector in self._lectores.values()))

    async def _soltar(self, lector: pulsar.Reader) -> None:
        try:
            await self._cliente.hacer(lambda _: lector.close())
        except ErrorBroker as error:
            _log.warning("broker.lector_sin_cerrar", error=str(error))  # muere con la conexión
