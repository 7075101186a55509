"""Lo que acompaña a un mensaje en los tópicos propios: la primera cabecera; detrás van las suyas, intactas."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from seedwork.infraestructura.brokers.kafka.cabeceras import Bruta

_NOMBRE = "seedwork"


def poner(datos: dict[str, Any], brutas: Sequence[Bruta]) -> list[Bruta]:
    return [(_NOMBRE, json.dumps(datos).encode()), *brutas]


def quitar(brutas: Sequence[Bruta]) -> tuple[dict[str, Any], list[Bruta]]:
    """El sobre y las cabeceras del mensaje; vacío si no lo puso esta biblioteca."""
    if not brutas or brutas[0][0] != _NOMBRE:
        return {}, list(brutas)
    try:
        datos = json.loads(brutas[0][1] or b"")
    except ValueError:
        return {}, list(brutas)
    return (datos, list(brutas[1:])) if isinstance(datos, dict) else ({}, list(brutas))


def a_texto(clave: bytes | None) -> str | None:
    return None if clave is None else base64.b64encode(clave).decode()


def de_texto(clave: str | None) -> bytes | None:
    return None if clave is None else base64.b64decode(clave)
