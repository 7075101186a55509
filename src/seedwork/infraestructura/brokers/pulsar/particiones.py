"""Las particiones de cada tópico."""

from __future__ import annotations

import asyncio
import time
from http.client import HTTPException

import structlog

from seedwork.infraestructura.brokers.pulsar.administracion import crear_topico
from seedwork.infraestructura.brokers.pulsar.cliente import Cliente

_log = structlog.get_logger(__name__)

_SIN_ADMINISTRACION_S = 60.0  # cuánto se tarda en volver a probar si atiende


class Particiones:
    """Las de los tópicos de un namespace. El que no existe se crea con las que diga la URL.

    Un tópico ajeno puede no tenerlas, y sin administración no se pueden crear: entonces es un solo carril.
    """

    def __init__(self, cliente: Cliente) -> None:
        self._cliente = cliente
        self._conocidas: dict[str, asyncio.Future[list[str]]] = {}
        self._sin_administracion_hasta_s = 0.0
        self._advertido = False

    async def de(self, topico: str, *, ahora: bool = False) -> list[str]:
        """Los nombres completos de las particiones del tópico, que existe desde entonces; el suyo, si no las tiene.

        Con `ahora` se vuelve a preguntar: alguien pudo añadir más.
        """
        conocidas = self._conocidas.get(topico)
        if ahora or conocidas is None or (conocidas.done() and _fallo(conocidas)):
            conocidas = self._conocidas[topico] = asyncio.ensure_future(self._asegurar(topico))
        return await asyncio.shield(conocidas)

    async def _asegurar(self, topico: str) -> list[str]:
        hay = await self._preguntar(topico)
        if hay == [topico] and self._cliente.direccion.particiones > 1 and await self._crear(topico):
            hay = await self._preguntar(topico)
        return hay

    async def _preguntar(self, topico: str) -> list[str]:
        hay: list[str] = await self._cliente.hacer(lambda cliente: cliente.get_topic_partitions(topico))
        if not hay:  # el cliente no lanza lo que falla, lo calla
            raise self._cliente.traducido(f"no dice las particiones de {topico}")
        return hay

    async def _crear(self, topico: str) -> bool:
        """Si pudo haber cambiado algo."""
        if time.monotonic() < self._sin_administracion_hasta_s:
            return False
        direccion = self._cliente.direccion
        try:
            await asyncio.to_thread(crear_topico, direccion, topico.replace("://", "/"))
        except (OSError, HTTPException, ValueError) as error:
            self._sin_administracion_hasta_s = time.monotonic() + _SIN_ADMINISTRACION_S
            if not self._advertido:
                self._advertido = True
                _log.warning(
                    "broker.sin_particiones",
                    admin=direccion.admin,
                    topico=topico,
                    error=str(error),
                    consecuencia="el tópico nuevo tendrá una, y de cada suscripción la atenderá un solo consumidor",
                )
            return False
        return True


def _fallo(conocidas: asyncio.Future[list[str]]) -> bool:
    return conocidas.cancelled() or conocidas.exception() is not None
