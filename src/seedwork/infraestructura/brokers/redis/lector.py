"""Una lectura efímera de Redis: sus posiciones sólo están en memoria."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from seedwork.infraestructura.brokers import BrokerCerrado, Mensaje
from seedwork.infraestructura.brokers.redis import guiones
from seedwork.infraestructura.brokers.redis.formato import leer_lote
from seedwork.infraestructura.brokers.redis.suscripcion import REVISION_S
from seedwork.infraestructura.brokers.redis.topicos import Topicos

if TYPE_CHECKING:
    from seedwork.infraestructura.brokers.redis.broker import BrokerRedis

_TODA_IDENTIDAD = 2**64 - 1  # la mayor de un milisegundo


class LectorRedis:
    """Lee por su cuenta, sin grupo ni cursor en el servidor."""

    def __init__(self, broker: BrokerRedis, topicos: Topicos) -> None:
        self._broker = broker
        self._conexion = broker.conexion
        self._topicos = topicos
        self._desde: dict[str, str] = {}
        self._de_los_demas = "0-0"
        self._cerrado = False

    async def situar(self, desde_hace_s: float) -> None:
        """Fija el comienzo: lo de hace `desde_hace_s` segundos, o lo que se publique a partir de ahora."""
        ahora_ms, *ultimas = await self._conexion.correr(guiones.POSICIONES, *self._topicos.literales)
        if desde_hace_s > 0:
            anterior_ms = max(0, int(ahora_ms) - int(desde_hace_s * 1000) - 1)
            self._de_los_demas = f"{anterior_ms}-{_TODA_IDENTIDAD}"
        else:
            self._desde = {
                topico.decode(errors="replace"): id.decode()
                for topico, id in zip(ultimas[::2], ultimas[1::2], strict=True)
            }
        await self._topicos.refrescar()

    async def recibir(self, maximo: int) -> list[Mensaje]:
        while not (self._cerrado or self._conexion.cerrada):
            self._topicos.dormir()
            try:
                cambio, mensajes = await self._leer(max(1, maximo))
            except BrokerCerrado:
                break
            if mensajes:
                return mensajes
            if not cambio:
                await self._topicos.esperar(REVISION_S)
        return []

    async def _leer(self, maximo: int) -> tuple[bool, list[Mensaje]]:
        cursores = (x for t in self._topicos.nombres for x in (t, self._desde.get(t, self._de_los_demas)))
        cambio, numeros, textos, leido = await self._conexion.correr(
            guiones.LEER, maximo, self._topicos.conocidos, *cursores
        )
        if cambio:
            await self._topicos.refrescar()
        mensajes = [mensaje for _, _, _, mensaje in leer_lote(numeros, textos)]
        self._desde.update((t.decode(), id.decode()) for t, id in zip(leido[::2], leido[1::2], strict=True))
        return bool(cambio), mensajes

    async def cerrar(self) -> None:
        self._cerrado = True
        self._broker.olvidar(self)
        self._topicos.despertar()

    def le_toca(self, topicos: Collection[str], _suscripciones: Collection[str], *, nuevos: bool) -> bool:
        return self._topicos.casa(topicos, nuevos=nuevos)

    def despertar(self) -> None:
        self._topicos.despertar()
