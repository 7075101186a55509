"""Los tópicos propios de cada suscripción. Llevan dos puntos seguidos: ningún tópico de usuario puede llamarse así."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_PREFIJO = "seedwork.."
_REINTENTOS, _MUERTAS = f"{_PREFIJO}reintentos.", f"{_PREFIJO}letras-muertas."
_NOMBRE_MAXIMO = 200


def de_reintentos(suscripcion: str) -> str:
    """Lo que vuelve a esa suscripción sola."""
    return _REINTENTOS + _como_topico(suscripcion)


def de_letras_muertas(suscripcion: str) -> str:
    """Lo que esa suscripción apartó: compactado, con el id de la letra por clave."""
    return _MUERTAS + _como_topico(suscripcion)


def las_de_letras_muertas(topicos: Iterable[str]) -> list[str]:
    return sorted(topico for topico in topicos if topico.startswith(_MUERTAS))


def es_de_usuario(topico: str) -> bool:
    """Si un comodín puede atenderlo: ni es de esta biblioteca ni del propio Kafka."""
    return not topico.startswith((_PREFIJO, "__"))


def _como_topico(suscripcion: str) -> str:
    # Kafka confunde el punto con el guion bajo: ninguno queda tal cual.
    nombre = re.sub(r"[^A-Za-z0-9-]", lambda c: "".join(f"_{octeto:02x}" for octeto in c[0].encode()), suscripcion)
    if len(nombre) <= _NOMBRE_MAXIMO:
        return nombre
    return f"{nombre[:100]}_-{hashlib.sha256(suscripcion.encode()).hexdigest()}"
