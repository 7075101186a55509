"""Lo que llega a un consumidor o a un lector del cliente, hacia el event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pulsar
import structlog

from seedwork.infraestructura.brokers.pulsar.formato import id_de

_log = structlog.get_logger(__name__)

_ESPERA_S = 1.0
_LOTE = 200


class Grifo:
    """Entrega en el event loop lo que va llegando, en orden, mientras esté abierto.

    Vaciar lo ya recibido no bloquea y se hace en el loop; se espera sin ningún hilo, con lo que usa `pulsar.asyncio`.

    Un mensaje que el cliente recibe mientras se le pide esperar puede quedar en su cola, y la espera dar el que le
    sigue, cuando llegue: decide a dónde va antes de dejarlo allí (`ConsumerImpl::executeNotifyCallback`, 3.x).
    """

    def __init__(
        self, fuente: pulsar.Consumer | pulsar.Reader, llega: Callable[[list[pulsar.Message]], None], nombre: str
    ) -> None:
        consume = isinstance(fuente, pulsar.Consumer)
        self._recibir: Callable[[int], pulsar.Message] = fuente.receive if consume else fuente.read_next
        self._pedir: Callable[[Callable[[Any, Any], None]], None] = (
            fuente._consumer.receive_async if consume else fuente._reader.read_next_async
        )
        self._llega = llega
        self._nombre = nombre
        self._abierto = asyncio.Event()
        self._abierto.set()
        self._espera: asyncio.Future[pulsar.Message] | None = None
        self._tarea = asyncio.create_task(self._correr())

    def abrir(self) -> None:
        self._abierto.set()

    def cortar(self) -> None:
        """Deja de sacar mensajes: los que sigan esperan en el broker."""
        self._abierto.clear()

    async def cerrar(self) -> None:
        self._tarea.cancel()
        await asyncio.gather(self._tarea, return_exceptions=True)
        if self._espera is not None:
            self._espera.cancel()  # lo que llegue sigue sin confirmar

    async def _correr(self) -> None:
        while True:
            await self._abierto.wait()
            try:
                lote = (self._espera is None and self._vaciar()) or await self._esperar()
            except pulsar.AlreadyClosed:
                return  # lo cerró este mismo programa: no volverá
            except pulsar.PulsarException as error:
                _log.warning("broker.sin_recibir", de=self._nombre, error=str(error))  # el cliente reconecta él solo
                await asyncio.sleep(_ESPERA_S)
                continue
            self._llega(lote)
            await asyncio.sleep(0)

    def _vaciar(self, maximo: int = _LOTE) -> list[pulsar.Message]:
        lote: list[pulsar.Message] = []
        with suppress(pulsar.Timeout):
            while len(lote) < maximo:
                lote.append(self._recibir(0))
        return lote

    async def _esperar(self) -> list[pulsar.Message]:
        """Lo que dé la espera, con lo que la siga; o lo que quedó en la cola, si no llega nada más."""
        self._espera = espera = self._espera or self._pedida()
        en_cola: list[pulsar.Message] = []
        while not (await asyncio.wait([espera], timeout=_ESPERA_S))[0]:
            if en_cola:  # se sacó hace una espera entera: lo que fuera por delante ya habría llegado
                return en_cola
            en_cola = self._vaciar(1)
        self._espera = None
        llegado = espera.result()
        en_cola += self._vaciar()
        en_cola.insert(1 if en_cola and _precede(en_cola[0], llegado) else 0, llegado)
        return en_cola

    def _pedida(self) -> asyncio.Future[pulsar.Message]:
        loop = asyncio.get_running_loop()
        espera: asyncio.Future[pulsar.Message] = loop.create_future()

        def cumplir(resultado: Any, recibido: Any) -> None:
            if espera.done():
                return  # se cerró el grifo
            if resultado == pulsar.Result.Ok:
                espera.set_result(pulsar.Message._wrap(recibido))
            else:
                espera.set_exception(_FALLOS.get(resultado, pulsar.PulsarException)(str(resultado)))

        def llega(resultado: Any, recibido: Any) -> None:
            with suppress(RuntimeError):  # el loop ya se cerró; una excepción aquí acabaría con el proceso
                loop.call_soon_threadsafe(cumplir, resultado, recibido)

        self._pedir(llega)
        return espera


def _precede(uno: pulsar.Message, otro: pulsar.Message) -> bool:
    suyo, ajeno = id_de(uno), id_de(otro)
    return suyo.topico == ajeno.topico and suyo < ajeno


_FALLOS: dict[Any, type[Exception]] = {pulsar.Result.AlreadyClosed: pulsar.AlreadyClosed}
