"""Los avisos de Redis: despiertan a quien duerme en cuanto se publica lo suyo o algo de su suscripción queda libre."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

import structlog
from redis.exceptions import RedisError

from seedwork.infraestructura.brokers.redis.conexion import Conexion

_log = structlog.get_logger(__name__)

_SILENCIO_S = 5.0  # sin avisos en este tiempo se comprueba que la conexión siga viva
_ESPERA_MAXIMA_S = 2.0


class Durmiente(Protocol):
    """Quien espera un aviso; `senas` son los tópicos, la suscripción y si apareció un tópico nuevo."""

    def le_toca(self, topicos: Collection[str], suscripciones: Collection[str], *, nuevos: bool) -> bool: ...

    def despertar(self) -> None: ...


async def escuchar(conexion: Conexion, durmientes: Callable[[], Collection[Durmiente]]) -> None:
    """Despierta hasta que la cancelen; al reconectar despierta a todos, por si se perdió algún aviso."""
    espera_s = 0.05
    while True:
        try:
            async with conexion.cliente.pubsub() as canal:
                await canal.subscribe(f"{conexion.prefijo}avisos")
                espera_s = 0.05
                while True:
                    aviso = await canal.get_message(timeout=_SILENCIO_S)
                    if aviso is None:
                        await canal.ping()
                    elif aviso["type"] == "subscribe":
                        _despertar(durmientes())
                    elif aviso["type"] == "message":
                        _repartir(aviso["data"], durmientes())
        except (RedisError, OSError) as error:
            _log.warning("broker.sin_avisos", broker=conexion.url, error=str(error))
        await asyncio.sleep(espera_s)
        espera_s = min(_ESPERA_MAXIMA_S, espera_s * 2)


def _repartir(datos: bytes, durmientes: Collection[Durmiente]) -> None:
    senas = datos.decode(errors="replace").split("\n")
    topicos = {sena[2:] for sena in senas if sena.startswith("t:")}
    suscripciones = {sena[2:] for sena in senas if sena.startswith("s:")}
    _despertar([d for d in durmientes if d.le_toca(topicos, suscripciones, nuevos="n" in senas)])


def _despertar(durmientes: Collection[Durmiente]) -> None:
    for durmiente in durmientes:
        durmiente.despertar()
