"""El broker embebido: un archivo SQLite que comparten muchos procesos, o la memoria de uno solo."""

from __future__ import annotations

from urllib.parse import unquote

from seedwork.infraestructura.brokers import URLBrokerInvalida
from seedwork.infraestructura.brokers.embebido.broker import BrokerEmbebido


def conectar(url: str) -> BrokerEmbebido:
    """`embebido:///ruta/relativa.db`, `embebido:////ruta/absoluta.db`, o `embebido://` (en memoria)."""
    resto = url.removeprefix("embebido://")
    if not resto:
        return BrokerEmbebido(None)
    if resto[0] != "/" or len(resto) == 1 or resto[-1] == "/" or "?" in resto or "#" in resto:
        raise URLBrokerInvalida(
            f"{url!r} no es un broker embebido: use embebido:///carpeta/broker.db o embebido:// (en memoria)"
        )
    return BrokerEmbebido(unquote(resto[1:]))


__all__ = ["BrokerEmbebido", "conectar"]
