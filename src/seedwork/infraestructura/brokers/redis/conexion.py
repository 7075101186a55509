"""La conexión con Redis: órdenes y guiones con plazo, y sus errores dichos con las palabras del puerto."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog
from redis import exceptions as errores
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from seedwork.infraestructura.brokers import BrokerCerrado, BrokerNoDisponible, ErrorBroker, sin_clave
from seedwork.infraestructura.brokers.redis.guiones import Guion

T = TypeVar("T")
_log = structlog.get_logger(__name__)

PLAZO_S = 8.0
_CONEXIONES = 32
_VERSION_MINIMA = 7
_PASAJEROS = (
    errores.ConnectionError,
    errores.TimeoutError,
    errores.ReadOnlyError,
    errores.ClusterDownError,
    errores.TryAgainError,
    OSError,  # también el plazo agotado
)
_PASAJEROS_SIN_CLASE = ("MISCONF", "BUSY", "NOREPLICAS", "UNKILLABLE")


class Conexion:
    """Un Redis en `url`, con todas sus claves bajo `{prefijo}:`. No abre nada hasta que se usa."""

    def __init__(self, url: str, prefijo: str) -> None:
        self.url = sin_clave(url)
        self.prefijo = f"{{{prefijo}}}:"
        self.cerrada = False
        reserva: BlockingConnectionPool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONEXIONES,
            timeout=PLAZO_S,
            protocol=2,
            retry=Retry(NoBackoff(), 0),  # repetir lo que quizá llegó no lo decide el cliente
            socket_timeout=PLAZO_S,
            socket_connect_timeout=PLAZO_S / 2,
            socket_keepalive=True,
        )
        self.cliente: Redis = Redis.from_pool(reserva)
        self._tareas: set[asyncio.Task[Any]] = set()
        self._preparada = False

    async def correr(self, guion: Guion, *argumentos: str | bytes | int) -> Any:
        """Corre el guion entero, aunque cancelen a quien espera."""
        return await self.hacer(self._correr(guion, argumentos))

    async def orden(self, *partes: str | bytes | int) -> Any:
        return await self.hacer(self._mandar(*partes))

    async def hacer(self, corrutina: Coroutine[Any, Any, T]) -> T:
        """Espera la respuesta hasta `PLAZO_S`; traduce los errores de Redis."""
        if self.cerrada:
            corrutina.close()
            raise BrokerCerrado(f"El broker {self.url} está cerrado")
        tarea = asyncio.create_task(self._con_plazo(corrutina))
        self._tareas.add(tarea)
        tarea.add_done_callback(self._al_terminar)
        return await asyncio.shield(tarea)

    async def _correr(self, guion: Guion, argumentos: tuple[str | bytes | int, ...]) -> Any:
        try:
            return await self._mandar("EVALSHA", guion.huella, 1, self.prefijo, *argumentos)
        except errores.NoScriptError:
            return await self._mandar("EVAL", guion.texto, 1, self.prefijo, *argumentos)

    async def _mandar(self, *partes: str | bytes | int) -> Any:
        return await self.cliente.execute_command(*partes)  # type: ignore[no-untyped-call]

    async def _con_plazo(self, corrutina: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(PLAZO_S):
                if not self._preparada:
                    try:
                        await self._preparar()
                    except BaseException:
                        corrutina.close()
                        raise
                return await corrutina
        except (errores.AuthenticationError, errores.AuthorizationError, errores.NoPermissionError) as error:
            raise ErrorBroker(f"El broker {self.url} no nos deja entrar: {error}") from error
        except errores.OutOfMemoryError as error:
            raise BrokerNoDisponible(f"El broker {self.url} no tiene más memoria (maxmemory): {error}") from error
        except _PASAJEROS as error:
            raise BrokerNoDisponible(f"El broker {self.url} no responde: {error or 'se agotó el plazo'}") from error
        except errores.ResponseError as error:
            if str(error).startswith(_PASAJEROS_SIN_CLASE):
                raise BrokerNoDisponible(f"El broker {self.url} no puede atender ahora: {error}") from error
            if "WRONGTYPE" in str(error):
                raise ErrorBroker(
                    f"En {self.url} otra cosa usa claves que empiezan por {self.prefijo}: {error}"
                ) from error
            raise ErrorBroker(f"El broker {self.url} falló: {error}") from error
        except errores.RedisError as error:
            raise ErrorBroker(f"El broker {self.url} falló: {error!r}") from error

    async def _preparar(self) -> None:
        datos = await self.cliente.info("server", "persistence", "memory")
        version = str(datos.get("redis_version", "0"))
        if int(version.partition(".")[0]) < _VERSION_MINIMA:
            raise ErrorBroker(f"El broker {self.url} es Redis {version}, y hace falta {_VERSION_MINIMA} o posterior")
        if not datos.get("aof_enabled"):
            _log.warning("broker.sin_appendonly", broker=self.url, efecto="un reinicio de Redis pierde mensajes")
        if datos.get("maxmemory") and datos.get("maxmemory_policy") != "noeviction":
            _log.warning("broker.con_desalojo", broker=self.url, politica=datos.get("maxmemory_policy"))
        self._preparada = True

    def _al_terminar(self, tarea: asyncio.Task[Any]) -> None:
        self._tareas.discard(tarea)
        if not tarea.cancelled():
            tarea.exception()  # quien lo pidió pudo irse: no es un error olvidado

    async def cerrar(self) -> None:
        """Espera lo que esté en curso, que tiene plazo, y cierra."""
        self.cerrada = True
        if self._tareas:
            await asyncio.wait(self._tareas)
        await self.cliente.aclose()
        await self.cliente.connection_pool.disconnect()
