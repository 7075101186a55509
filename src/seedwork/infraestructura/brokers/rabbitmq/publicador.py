"""Publicar con acuse, muchos a la vez y en orden."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice

from aiormq import Channel
from pamqp.commands import Basic

_EN_VUELO = 500
_BYTES_EN_VUELO = 8 * 1024 * 1024

Publicacion = tuple[str, str, bytes, Basic.Properties]  # exchange, routing key, cuerpo, propiedades


async def publicar(canal: Channel, publicaciones: Iterable[Publicacion]) -> None:
    """Vuelve cuando RabbitMQ acusó todas. El candado del canal, que es una cola, conserva el orden."""
    for tanda in _tandas(publicaciones):
        resultados = await asyncio.gather(
            *(
                canal.basic_publish(cuerpo, exchange=exchange, routing_key=destino, properties=propiedades, wait=False)
                for exchange, destino, cuerpo, propiedades in tanda
            ),
            return_exceptions=True,
        )
        for resultado in resultados:
            if isinstance(resultado, BaseException):
                raise resultado


def _tandas(publicaciones: Iterable[Publicacion]) -> Iterator[list[Publicacion]]:
    resto = iter(publicaciones)
    while tanda := list(islice(resto, 1)):
        suma = len(tanda[0][2])
        for publicacion in islice(resto, _EN_VUELO - 1):
            tanda.append(publicacion)
            suma += len(publicacion[2])
            if suma >= _BYTES_EN_VUELO:
                break
        yield tanda
