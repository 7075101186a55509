"""Los nombres y la declaración de lo que vive en RabbitMQ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiormq import Channel
from aiormq.exceptions import ChannelPreconditionFailed

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.brokers.rabbitmq.conexion import Conexion

_SEGMENTO_MB = 16  # el stream se recorta por segmentos enteros
_SUFIJO_MAXIMO = 60
_OLVIDO_REINTENTO_MS = 60_000
TTL_MAXIMO_MS = 2**31
# RabbitMQ 4 aparta por su cuenta lo entregado veinte veces; aquí los intentos los cuenta quien consume.
_SIN_LIMITE = {"x-delivery-limit": 1_000_000_000}
_QUORUM: dict[str, Any] = {"x-queue-type": "quorum", **_SIN_LIMITE}


@dataclass(frozen=True)
class Retencion:
    """Hasta dónde guarda el stream lo publicado: lo que antes se cumpla."""

    megas: int
    dias: int


@dataclass(frozen=True)
class Exchange:
    """El exchange de tópicos, el stream que guarda lo que pasó por él, y la lista de sus suscripciones."""

    nombre: str
    retencion: Retencion

    @property
    def log(self) -> str:
        return f"{self.nombre}.log"

    @property
    def suscripciones(self) -> str:
        return f"{self.nombre}.suscripciones"

    async def declarar(self, conexion: Conexion) -> None:
        async with conexion.un_canal() as canal:
            await canal.exchange_declare(self.nombre, exchange_type="topic", durable=True)
            await canal.queue_declare(self.suscripciones, durable=True, arguments=_QUORUM)
        await self._declarar_log(conexion)

    async def _declarar_log(self, conexion: Conexion) -> None:
        argumentos: dict[str, Any] = {
            "x-queue-type": "stream",
            "x-max-length-bytes": self.retencion.megas * 1024 * 1024,
            "x-max-age": f"{self.retencion.dias}D",
            "x-stream-max-segment-size-bytes": min(self.retencion.megas, _SEGMENTO_MB) * 1024 * 1024,
        }
        async with conexion.hablando():
            canal = await conexion.canal()
            try:
                await canal.queue_declare(self.log, durable=True, arguments=argumentos)
            except ChannelPreconditionFailed:
                # Ya existe con otra retención: manda la que tiene, que se cambia con una política del servidor.
                canal = await conexion.canal()
                await canal.queue_declare(self.log, passive=True)
            await canal.queue_bind(self.log, self.nombre, "#")
            await canal.close()


@dataclass(frozen=True)
class Nombres:
    """Las colas de una suscripción, que se llaman como ella más un sufijo."""

    cola: str

    def __post_init__(self) -> None:
        if not self.cola or self.cola.startswith("amq.") or len(self.cola.encode()) > 255 - _SUFIJO_MAXIMO:
            raise ErrorDeArranque(f"{self.cola!r} no puede ser una cola de RabbitMQ: es el nombre de la suscripción")

    @property
    def relleno(self) -> str:
        """Lo que había en el log cuando se creó; desaparece al agotarse."""
        return f"{self.cola}.relleno"

    @property
    def dlq(self) -> str:
        return f"{self.cola}.dlq"

    @property
    def registro(self) -> str:
        """Un solo mensaje: los intentos empezados."""
        return f"{self.cola}.intentos"

    @property
    def alta(self) -> str:
        """Está mientras la suscripción se crea; si quien la creaba murió, hay que empezar de nuevo."""
        return f"{self.cola}.alta"

    @property
    def jefe(self) -> str:
        """Exclusiva de quien reparte: tenerla es repartir."""
        return f"{self.cola}.jefe"

    @property
    def miembros(self) -> str:
        """Un exchange que llega a todos los consumidores, y una cola vacía cuyos consumidores son ellos."""
        return f"{self.cola}.consumidores"

    def miembro(self, id: str) -> str:
        return f"{self.cola}.consumidor.{id}"

    def cerrojo(self, de: str) -> str:
        return f"{self.cola}.cerrojo.{de}"

    async def declarar_cola(self, canal: Channel) -> None:
        await canal.queue_declare(self.cola, durable=True, arguments={**_QUORUM, "x-single-active-consumer": True})

    async def declarar_resto(self, canal: Channel) -> None:
        await canal.exchange_declare(self.miembros, exchange_type="fanout", durable=True)
        await canal.queue_declare(self.miembros, durable=True)
        await canal.queue_declare(self.dlq, durable=True, arguments=_QUORUM)
        await canal.queue_declare(self.registro, durable=True, arguments={**_QUORUM, "x-max-length": 1})

    async def declarar_relleno(self, canal: Channel) -> None:
        await canal.queue_declare(self.relleno, durable=True, arguments={**_QUORUM, "x-single-active-consumer": True})

    async def declarar_reintento(self, canal: Channel, espera_s: float) -> str:
        """La cola donde algo espera ese tiempo y vuelve a la suya; desaparece cuando nadie la usa."""
        ms = espera_redonda_ms(espera_s)
        nombre = f"{self.cola}.reintento.{ms}"
        await canal.queue_declare(
            nombre,
            durable=True,
            arguments={
                **_QUORUM,
                "x-message-ttl": ms,
                "x-expires": ms + _OLVIDO_REINTENTO_MS,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": self.cola,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            },
        )
        return nombre


def espera_redonda_ms(espera_s: float) -> int:
    """Hacia arriba, al medio segundo o, si es más de un minuto, al segundo: con jitter habría una cola por mensaje."""
    paso_ms = 500 if espera_s <= 60 else 1000
    return min(TTL_MAXIMO_MS, max(paso_ms, math.ceil(espera_s * 1000 / paso_ms - 1e-6) * paso_ms))


async def atar(canal: Channel, cola: str, exchange: str, patrones: Sequence[str]) -> None:
    for patron in patrones:
        await canal.queue_bind(cola, exchange, patron)


async def desatar(canal: Channel, cola: str, exchange: str, patrones: Iterable[str]) -> None:
    for patron in patrones:
        await canal.queue_unbind(cola, exchange, patron)
