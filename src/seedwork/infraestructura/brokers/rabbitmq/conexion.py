"""Una conexión AMQP que se abre cuando hace falta, y sus fallos dichos con los errores del puerto."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiormq
from aiormq import Channel
from aiormq.abc import AbstractConnection
from aiormq.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelAccessRefused,
    ChannelInvalidStateError,
    ChannelLockedResource,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    ConnectionNotAllowed,
    ProbableAuthenticationError,
)

from seedwork.infraestructura.brokers import BrokerCerrado, BrokerNoDisponible, ErrorBroker, sin_clave

PLAZO_S = 8.0
_PLAZO_CONEXION_S = 5.0
_PLAZO_CIERRE_S = 3.0
_ESPERA_CERROJO_S = 0.05
# No los arregla el tiempo: credenciales, permisos, o algo declarado de otra forma.
_DEFINITIVOS = (
    ProbableAuthenticationError,
    AuthenticationError,
    ConnectionNotAllowed,
    ChannelAccessRefused,
    ChannelPreconditionFailed,
)


class Conexion:
    """Una conexión que se reabre si se cayó. Cada uso es un canal de `canal()`."""

    def __init__(self, url: str, nombre: str) -> None:
        self._url = url
        self.nombre = f"RabbitMQ en {sin_clave(url).partition('?')[0]}"
        self._propiedades = {"connection_name": nombre}
        self._conexion: AbstractConnection | None = None
        self._candado = asyncio.Lock()
        self.cerrada = False

    async def abierta(self) -> AbstractConnection:
        async with self._candado:
            if self.cerrada:
                raise BrokerCerrado(f"La conexión con {self.nombre} está cerrada")
            if self._conexion is None or self._conexion.is_closed or not self._conexion.is_opened:
                conexion = aiormq.Connection(self._url)
                try:
                    async with asyncio.timeout(_PLAZO_CONEXION_S):
                        await conexion.connect({**self._propiedades})
                except BaseException:
                    await _cerrar(conexion)
                    raise
                self._conexion = conexion
            return self._conexion

    async def canal(self, *, confirmar: bool = True) -> Channel:
        conexion = await self.abierta()
        try:
            canal = await conexion.channel(publisher_confirms=confirmar)
        except RuntimeError as error:  # se cerró entre que se miró y se usó
            raise BrokerNoDisponible(f"{self.nombre} cerró la conexión") from error
        assert isinstance(canal, Channel)  # noqa: S101 - el cliente la declara con un tipo más corto
        return canal

    async def canal_vigilado(self, al_perderlo: Callable[[], None], *, confirmar: bool = True) -> Channel:
        """Un canal que avisa si se cierra, o si RabbitMQ le quita una cola que consume: no le llegaría nada más."""
        canal = await self.canal(confirmar=confirmar)
        canal.closing.add_done_callback(lambda _: al_perderlo())
        canal.on_consumer_cancel_callbacks.add(lambda _: al_perderlo())
        return canal

    @asynccontextmanager
    async def hablando(self, plazo_s: float | None = PLAZO_S) -> AsyncIterator[None]:
        """Traduce los fallos de lo de dentro, que debe terminar en el plazo."""
        try:
            async with asyncio.timeout(plazo_s):
                yield
        except TimeoutError as error:
            raise BrokerNoDisponible(f"{self.nombre} no respondió a tiempo") from error
        except _DEFINITIVOS as error:
            raise ErrorBroker(f"{self.nombre} no lo admite: {_frase(error)}") from error
        except (AMQPError, OSError, EOFError, ChannelInvalidStateError) as error:
            raise BrokerNoDisponible(f"{self.nombre} no está disponible: {_frase(error)}") from error
        except Exception as error:
            if type(error) is not Exception:
                raise
            # El cliente lanza ésta, a secas, a quien esperaba en una conexión que se cerró sin decir por qué.
            raise BrokerNoDisponible(f"{self.nombre} cerró la conexión") from error
        except asyncio.CancelledError as error:
            # El cliente cancela a quien espera cuando se cierra la conexión; no es nadie cancelándonos a nosotros.
            tarea = asyncio.current_task()
            if tarea is not None and tarea.cancelling():
                raise
            raise BrokerNoDisponible(f"{self.nombre} cerró la conexión") from error

    @asynccontextmanager
    async def un_canal(self, plazo_s: float | None = PLAZO_S) -> AsyncIterator[Channel]:
        """Un canal para un rato: lo que deje sin confirmar vuelve a su cola, en orden, al salir."""
        async with self.hablando(plazo_s):
            canal = await self.canal()
            try:
                yield canal
            finally:
                with suppress(Exception):
                    async with asyncio.timeout(_PLAZO_CIERRE_S):
                        await canal.close()

    async def existen(self, *colas: str) -> bool:
        """Si existen todas."""
        try:
            async with self.un_canal() as canal:
                for cola in colas:
                    await canal.queue_declare(cola, passive=True)
                return True
        except BrokerNoDisponible as error:
            if isinstance(error.__cause__, ChannelNotFoundEntity):
                return False
            raise

    async def intentar_cerrojo(self, cola: str) -> Channel | None:
        """Un canal si esta conexión se quedó con la cola exclusiva: sólo una puede, y la suelta al morir."""
        try:
            async with self.hablando():
                canal = await self.canal()
                await canal.queue_declare(cola, exclusive=True)
                return canal
        except BrokerNoDisponible as error:
            if isinstance(error.__cause__, ChannelLockedResource):
                return None
            raise

    @asynccontextmanager
    async def cerrojo(self, cola: str, plazo_s: float | None) -> AsyncIterator[None]:
        """Dentro, nadie más de ningún proceso; dentro de un mismo objeto lo debe asegurar quien llama."""
        try:
            async with asyncio.timeout(plazo_s):
                while (canal := await self.intentar_cerrojo(cola)) is None:  # noqa: ASYNC110 - lo suelta otro proceso
                    await asyncio.sleep(_ESPERA_CERROJO_S)
        except TimeoutError as error:
            raise BrokerNoDisponible(f"Otro proceso tiene {cola!r} en {self.nombre}") from error
        try:
            yield
        finally:
            with suppress(ErrorBroker):
                async with self.hablando():
                    await canal.queue_delete(cola)
                    await canal.close()

    async def cerrar(self) -> None:
        self.cerrada = True
        if self._conexion is not None:
            await _cerrar(self._conexion)

    async def soltar(self) -> None:
        """Cierra la que hubiera; el próximo uso abre otra."""
        if self._conexion is not None:
            await _cerrar(self._conexion)


async def _cerrar(conexion: AbstractConnection) -> None:
    # Cierre acotado: si RabbitMQ no contesta, ya dará la conexión por muerta.
    with suppress(Exception):
        async with asyncio.timeout(_PLAZO_CIERRE_S):
            await conexion.close()


def _frase(error: BaseException) -> str:
    return str(error) or type(error).__name__
