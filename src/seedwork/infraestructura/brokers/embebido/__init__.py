"""El broker embebido: un archivo SQLite que comparten muchos procesos, o la memoria de uno solo."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from seedwork.infraestructura.brokers import URLBrokerInvalida
from seedwork.infraestructura.brokers.embebido.broker import BrokerEmbebido


def conectar(url: str) -> BrokerEmbebido:
    """`embebido:///ruta/relativa.db`, `embebido:////ruta/absoluta.db`, o `embebido://` (en memoria)."""
    partes = urlsplit(url)
    if partes.netloc or partes.query:
        raise URLBrokerInvalida(
            f"{url!r} no es un broker embebido: use embebido:///carpeta/broker.db o embebido:// (en memoria)"
        )
    return BrokerEmbebido(unquote(partes.path[1:]) or None)


__all__ = ["BrokerEmbebido", "conectar"]
