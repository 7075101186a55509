"""El broker sobre Redis Streams: publica, reparte avisos, late por sus consumidores y recorta lo viejo."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterator, Sequence

import structlog

from seedwork.infraestructura.brokers import (
    BrokerCerrado,
    ErrorBroker,
    Mensaje,
    MensajeNoPublicable,
    validar,
)
from seedwork.infraestructura.brokers.redis import guiones
from seedwork.infraestructura.brokers.redis.avisos import escuchar
from seedwork.infraestructura.brokers.redis.conexion import Conexion
from seedwork.infraestructura.brokers.redis.formato import CAMPOS_MAXIMO, a_campos
from seedwork.infraestructura.brokers.redis.lector import LectorRedis
from seedwork.infraestructura.brokers.redis.letras import LetrasMuertasRedis
from seedwork.infraestructura.brokers.redis.recorte import recortar_a_ratos
from seedwork.infraestructura.brokers.redis.suscripcion import VIDA_S, SuscripcionRedis
from seedwork.infraestructura.brokers.redis.topicos import Topicos

_log = structlog.get_logger(__name__)

TAMANO_MAXIMO = 5 * 1024 * 1024
_ENVIO_BYTES = 4 * 1024 * 1024  # al pasarlos, lo que sigue va en otro envío
_ENVIO_PARTES = 50_000
_CIERRE_S = 5.0
_RECANCELAR_S = 0.1


class BrokerRedis:
    """Un `Broker` sobre Redis. No abre nada hasta que se usa."""

    def __init__(self, url: str, prefijo: str) -> None:
        self.conexion = Conexion(url, prefijo)
        self.letras_muertas = LetrasMuertasRedis(self.conexion)
        self._suscripciones: set[SuscripcionRedis] = set()
        self._lectores: set[LectorRedis] = set()
        self._tareas: list[asyncio.Task[None]] = []

    async def publicar(self, mensajes: Sequence[Mensaje]) -> None:
        for mensaje in mensajes:
            validar(mensaje, TAMANO_MAXIMO)
            if len(mensaje.cabeceras) > CAMPOS_MAXIMO:
                raise MensajeNoPublicable(
                    mensaje, f"El mensaje lleva {len(mensaje.cabeceras)} cabeceras y el máximo es {CAMPOS_MAXIMO}"
                )
        for envio in _envios(mensajes):
            await self.conexion.correr(guiones.PUBLICAR, *envio)

    async def suscribir(self, suscripcion: str, topicos: Sequence[str], *, desde: str = "inicio") -> SuscripcionRedis:
        atendidos = Topicos(self.conexion, topicos)
        consumidor = SuscripcionRedis(self, suscripcion, atendidos)
        await self.conexion.correr(
            guiones.SUSCRIBIR,
            *(consumidor.nombre, consumidor.dueno, int(VIDA_S * 1000), desde, json.dumps(list(topicos))),
            *atendidos.literales,
        )
        await atendidos.refrescar()
        self._suscripciones.add(consumidor)
        self._empezar()
        return consumidor

    async def leer(self, topicos: Sequence[str], *, desde_hace_s: float = 0) -> LectorRedis:
        lector = LectorRedis(self, Topicos(self.conexion, topicos))
        await lector.situar(desde_hace_s)
        self._lectores.add(lector)
        self._empezar()
        return lector

    async def comprobar(self) -> None:
        await self.conexion.orden("PING")

    async def cerrar(self) -> None:
        if self.conexion.cerrada:
            return
        await _terminar(self._tareas)
        self._tareas = []
        despedidas = [asyncio.create_task(suscripcion.cerrar()) for suscripcion in self._suscripciones]
        if despedidas:
            hechas, tarde = await asyncio.wait(despedidas, timeout=_CIERRE_S)
            for despedida in tarde:
                despedida.cancel()
            for error in filter(None, (despedida.exception() for despedida in hechas)):
                _log.warning(
                    "broker.despedida_perdida", broker=self.conexion.url, error=str(error)
                )  # vencerá su latido
        for lector in list(self._lectores):
            await lector.cerrar()
        await self.conexion.cerrar()

    def olvidar(self, quien: SuscripcionRedis | LectorRedis) -> None:
        """Se va, y ya no hay que latir por él ni despertarlo."""
        if isinstance(quien, SuscripcionRedis):
            self._suscripciones.discard(quien)
        else:
            self._lectores.discard(quien)

    def _empezar(self) -> None:
        if self._tareas or self.conexion.cerrada:
            return
        self._tareas = [
            asyncio.create_task(escuchar(self.conexion, lambda: [*self._suscripciones, *self._lectores])),
            asyncio.create_task(self._latir()),
            asyncio.create_task(recortar_a_ratos(self.conexion)),
        ]

    async def _latir(self) -> None:
        while True:
            await asyncio.sleep(VIDA_S / 5)
            vivos = [x for s in self._suscripciones for x in (s.nombre, s.dueno)]
            try:
                if vivos:
                    await self.conexion.correr(guiones.LATIR, int(VIDA_S * 1000), *vivos)
            except BrokerCerrado:
                return
            except ErrorBroker as error:
                # El siguiente latido lo vuelve a intentar; si se pasa la vida, otro toma lo nuestro.
                _log.warning("broker.sin_latido", broker=self.conexion.url, error=str(error))


async def _terminar(tareas: Collection[asyncio.Task[None]]) -> None:
    # Mientras conecta, redis-py puede tragarse una cancelación: se repite hasta que surte efecto.
    while tareas:
        for tarea in tareas:
            tarea.cancel()
        _, tareas = await asyncio.wait(tareas, timeout=_RECANCELAR_S)


def _envios(mensajes: Sequence[Mensaje]) -> Iterator[list[str | bytes | int]]:
    """El lote en envíos de tamaño acotado, en orden, como los espera el guion."""
    topicos: dict[str, list[int]] = {}
    cuerpo: list[str | bytes | int] = []
    total = 0
    for mensaje in mensajes:
        campos = a_campos(mensaje)
        tamano = sum(map(len, campos))
        if cuerpo and (total + tamano > _ENVIO_BYTES or len(cuerpo) + len(campos) > _ENVIO_PARTES):
            yield _envio(topicos, cuerpo)
            topicos, cuerpo, total = {}, [], 0
        indice_y_mayor = topicos.setdefault(mensaje.topico, [len(topicos) + 1, 0])
        indice_y_mayor[1] = max(indice_y_mayor[1], tamano)
        cuerpo += (indice_y_mayor[0], len(campos), *campos)
        total += tamano
    if cuerpo:
        yield _envio(topicos, cuerpo)


def _envio(topicos: dict[str, list[int]], cuerpo: list[str | bytes | int]) -> list[str | bytes | int]:
    nombres = (x for topico, (_, mayor) in topicos.items() for x in (topico, mayor))
    return [len(topicos), *nombres, *cuerpo]
