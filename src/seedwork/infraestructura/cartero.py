"""Lo que se publica sin esperar: una cola por la que sale en el orden en que se pidió."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

import structlog

from seedwork.infraestructura.brokers import Mensaje

_log = structlog.get_logger(__name__)


class Cartero:
    """Entrega cada mensaje a `enviar`, de uno en uno; el que no se pueda enviar queda sólo registrado.

    Se usa desde un event loop.
    """

    def __init__(self, enviar: Callable[[Mensaje], Awaitable[None]]) -> None:
        self._enviar = enviar
        self._cola: deque[Mensaje] = deque()
        self._tarea: asyncio.Task[None] | None = None

    def encolar(self, mensaje: Mensaje) -> None:
        self._cola.append(mensaje)
        if self._tarea is None or self._tarea.done():
            self._tarea = asyncio.create_task(self._repartir())

    def pendiente(self) -> Iterator[asyncio.Task[None]]:
        """La tarea que reparte lo encolado, si la hay."""
        if self._tarea is not None:
            yield self._tarea

    def vaciar(self) -> None:
        """Olvida lo que quede, diciendo qué se pierde."""
        while self._cola:
            _registrar_perdido(self._cola.popleft(), None)

    async def _repartir(self) -> None:
        while self._cola:
            mensaje = self._cola.popleft()
            try:
                await self._enviar(mensaje)
            except asyncio.CancelledError:
                _registrar_perdido(mensaje, None)
                raise
            except Exception as error:  # noqa: BLE001 - quien lo pidió ya no está para saberlo
                _registrar_perdido(mensaje, error)


def _registrar_perdido(mensaje: Mensaje, error: Exception | None) -> None:
    _log.error("mensajeria.evento_perdido", topico=mensaje.topico, id=mensaje.cabeceras.get("id"), exc_info=error)
