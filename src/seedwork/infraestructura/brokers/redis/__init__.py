"""El broker sobre Redis Streams: un stream por tópico, y por suscripción lo que a Redis le falta, en guiones de Lua.

`redis://[usuario:clave@]host[:puerto][/base][?prefijo=nombre]`, o `rediss://` con TLS. Todas las claves empiezan por
`{prefijo}:` (`{seedwork}:` si no se dice), así que en un clúster caen en una sola ranura.

Publicar vuelve cuando Redis escribió el lote; cuánto dura lo escrito lo decide su `appendfsync`: con `always` está en
el disco; con `everysec` (lo que Redis trae) un corte de luz puede llevarse el último segundo, y la muerte del proceso,
nada; sin `appendonly`, un reinicio se lleva lo posterior a la última foto.

Otros programas pueden publicar con `XADD {prefijo}:t:<topico> * data <cuerpo> key <clave> ce_id <id> ce_type <tipo>...`
(sólo hace falta `data`): se ve en menos de un segundo si alguien nombra ese tópico o si `{prefijo}:topicos` lo tiene.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.brokers import URLBrokerInvalida, sin_clave

try:
    from seedwork.infraestructura.brokers.redis.broker import BrokerRedis
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "redis":
        raise
    raise ErrorDeArranque(
        "Para un broker redis:// falta el cliente: instálelo con `pip install aeroalpes-seedwork[redis]`"
    ) from error

PREFIJO = "seedwork"
_FORMA = "redis://[usuario:clave@]host[:puerto][/base][?prefijo=nombre]"


def conectar(url: str) -> BrokerRedis:
    """El broker de esa URL; no abre nada hasta que se usa. Lanza `URLBrokerInvalida` si no se entiende."""
    try:
        partes = urlsplit(url)
        opciones = dict(parse_qsl(partes.query, keep_blank_values=True, strict_parsing=bool(partes.query)))
        valida = bool(partes.hostname) and partes.port != 0
    except ValueError:
        valida, opciones = False, {}
    prefijo = opciones.pop("prefijo", PREFIJO)
    ajenas = [nombre for nombre in opciones if not nombre.startswith("ssl_")]
    base_valida = re.fullmatch(r"/?|/\d+", partes.path) if valida else None
    if base_valida is None or partes.fragment or ajenas or not re.fullmatch(r"[\w.-]+", prefijo, re.ASCII):
        raise URLBrokerInvalida(f"{sin_clave(url)!r} no es un broker de Redis: use {_FORMA}")
    consulta = "&".join(parte for parte in partes.query.split("&") if not parte.startswith("prefijo="))
    return BrokerRedis(urlunsplit(partes._replace(query=consulta)), prefijo)


__all__ = ["BrokerRedis", "conectar"]
