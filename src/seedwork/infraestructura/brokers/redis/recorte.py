"""El recorte de los streams por edad, sin tocar lo que alguna suscripción aún necesita."""

from __future__ import annotations

import asyncio
import json

import structlog

from seedwork.infraestructura.brokers import BrokerCerrado, ErrorBroker, compilar_patrones
from seedwork.infraestructura.brokers.redis import guiones
from seedwork.infraestructura.brokers.redis.conexion import Conexion

_log = structlog.get_logger(__name__)

RETENCION_S = 7 * 24 * 3600.0
_CADA_S = 3600
_LOTE = 10_000


async def recortar_a_ratos(conexion: Conexion) -> None:
    """Cada hora, uno solo de los procesos que usan ese prefijo recorta; hasta que la cancelen."""
    while True:
        try:
            if await conexion.orden("SET", f"{conexion.prefijo}recorte", "1", "NX", "EX", _CADA_S - 60):
                await recortar(conexion, RETENCION_S)
        except BrokerCerrado:
            return
        except ErrorBroker as error:
            _log.warning("broker.sin_recorte", broker=conexion.url, error=str(error))  # en la próxima vuelta
        await asyncio.sleep(_CADA_S)


async def recortar(conexion: Conexion, retencion_s: float) -> int:
    """Borra lo publicado hace más de `retencion_s` que ninguna suscripción espera; devuelve cuántos mensajes."""
    segundos, micros = await conexion.orden("TIME")
    antes = int(segundos) * 1000 + int(micros) // 1000 - int(retencion_s * 1000), 0
    topicos = sorted(t.decode(errors="replace") for t in await conexion.orden("SMEMBERS", f"{conexion.prefijo}topicos"))
    limites = dict.fromkeys(topicos, antes)
    suscripciones = await conexion.orden("HGETALL", f"{conexion.prefijo}suscripciones")
    for nombre, patrones in suscripciones.items():
        suyos = list(filter(compilar_patrones(json.loads(patrones)), topicos))
        for topico, limite in zip(suyos, await conexion.correr(guiones.LIMITES, nombre, "", *suyos), strict=True):
            limites[topico] = min(limites[topico], _identidad(limite))
    return sum([await _recortar(conexion, topico, limite) for topico, limite in limites.items()])


async def _recortar(conexion: Conexion, topico: str, limite: tuple[int, int]) -> int:
    clave, hasta = f"{conexion.prefijo}t:{topico}", f"{limite[0]}-{limite[1]}"
    total = 0
    while True:
        borrados = int(await conexion.orden("XTRIM", clave, "MINID", "~", hasta, "LIMIT", _LOTE))
        total += borrados
        if borrados == 0:
            return total + int(await conexion.orden("XTRIM", clave, "MINID", "=", hasta))


def _identidad(texto: bytes) -> tuple[int, int]:
    ms, _, n = texto.partition(b"-")
    return int(ms), int(n)
