"""Lo que llega a un consumidor o a un lector del cliente, hacia el event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pulsar
import structlog

_log = structlog.get_logger(__name__)

_ESPERA_MS = 1_000
_LOTE = 200


class Grifo:
    """Entrega en el event loop lo que va llegando, en orden, mientras esté abierto.

    Vaciar lo ya recibido no bloquea y se hace en el loop: desde otro hilo, cada mensaje esperaría por el intérprete.
    """

    def __init__(
        self, recibir: Callable[[int], pulsar.Message], llega: Callable[[list[pulsar.Message]], None], nombre: str
    ) -> None:
        self._recibir = recibir
        self._llega = llega
        self._nombre = nombre
        self._hilo = ThreadPoolExecutor(1, thread_name_prefix=f"grifo-{nombre}")
        self._abierto = asyncio.Event()
        self._abierto.set()
        self._tarea = asyncio.create_task(self._correr())

    def abrir(self) -> None:
        self._abierto.set()

    def cortar(self) -> None:
        """Deja de sacar mensajes: los que sigan esperan en el broker."""
        self._abierto.clear()

    async def cerrar(self) -> None:
        self._tarea.cancel()
        await asyncio.gather(self._tarea, return_exceptions=True)
        self._hilo.shutdown(wait=False)

    async def _correr(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._abierto.wait()
            try:
                lote = self._vaciar()
                if not lote and (primero := await loop.run_in_executor(self._hilo, self._uno, _ESPERA_MS)) is not None:
                    lote = [primero]
            except pulsar.AlreadyClosed:
                return  # lo cerró este mismo programa: no volverá
            except pulsar.PulsarException as error:
                _log.warning("broker.sin_recibir", de=self._nombre, error=str(error))  # el cliente reconecta él solo
                await asyncio.sleep(_ESPERA_MS / 1000)
                continue
            if lote:
                self._llega(lote)
                await asyncio.sleep(0)

    def _vaciar(self) -> list[pulsar.Message]:
        lote: list[pulsar.Message] = []
        while len(lote) < _LOTE and (mensaje := self._uno(0)) is not None:
            lote.append(mensaje)
        return lote

    def _uno(self, espera_ms: int) -> pulsar.Message | None:
        try:
            return self._recibir(espera_ms)
        except pulsar.Timeout:
            return None
