"""El broker sobre RabbitMQ (3.10 o posterior): un exchange de tópicos y una cola quorum por suscripción.

`amqp://usuario:clave@host:puerto/vhost[?exchange=nombre&log_mb=1024&log_dias=7]`, o `amqps://` con TLS (`cafile`,
`certfile` y `keyfile` en la consulta). El exchange se llama `seedwork` si no se dice otra cosa. Todo lo publicado
queda además en el stream `<exchange>.log`, acotado en tamaño y edad: de ahí se llena una suscripción nueva y se lee.

Por suscripción se ven su cola, `<suscripcion>.reintento.<ms>` mientras haya algo esperando, y `<suscripcion>.dlq`.

Otros programas publican en el exchange con el tópico como routing key; la clave de orden, en la cabecera
`cloudEvents_partitionkey`.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.brokers import URLBrokerInvalida, sin_clave

try:
    from seedwork.infraestructura.brokers.rabbitmq.broker import BrokerRabbitMQ
    from seedwork.infraestructura.brokers.rabbitmq.topologia import Retencion
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("aiormq", "pamqp"):
        raise
    raise ErrorDeArranque(
        "Para un broker amqp:// falta el cliente: instálelo con `pip install aeroalpes-seedwork[rabbitmq]`"
    ) from error

EXCHANGE = "seedwork"
_FORMA = "amqp://usuario:clave@host:puerto/vhost[?exchange=nombre&log_mb=1024&log_dias=7]"
_TLS = {"cafile", "capath", "cadata", "certfile", "keyfile", "no_verify_ssl"}
_DEL_CLIENTE = _TLS | {"auth"}
LATIDO_S = 5  # dos sin respuesta y RabbitMQ da por muerta la conexión


def conectar(url: str) -> BrokerRabbitMQ:
    """El broker de esa URL; no abre nada hasta que se usa. Lanza `URLBrokerInvalida` si no se entiende."""
    try:
        partes = urlsplit(url)
        opciones = dict(parse_qsl(partes.query, keep_blank_values=True, strict_parsing=bool(partes.query)))
        exchange = opciones.pop("exchange", EXCHANGE)
        retencion = Retencion(megas=int(opciones.pop("log_mb", "1024")), dias=int(opciones.pop("log_dias", "7")))
        valida = bool(partes.hostname) and partes.port != 0 and retencion.megas > 0 and retencion.dias > 0
    except ValueError:
        raise URLBrokerInvalida(f"{sin_clave(url)!r} no es un broker de RabbitMQ: use {_FORMA}") from None
    if (
        not valida
        or partes.fragment
        or not re.fullmatch(r"[\w.-]{1,100}", exchange, re.ASCII)
        or {*opciones} - _DEL_CLIENTE
    ):
        raise URLBrokerInvalida(f"{sin_clave(url)!r} no es un broker de RabbitMQ: use {_FORMA}")
    consulta = urlencode({**opciones, "heartbeat": LATIDO_S})
    return BrokerRabbitMQ(urlunsplit(partes._replace(query=consulta)), exchange, retencion)


__all__ = ["BrokerRabbitMQ", "conectar"]
