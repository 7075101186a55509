"""Las cabeceras en el modo binario de CloudEvents para Kafka: `ce_` y el atributo, salvo `content-type`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote, unquote

Bruta = tuple[str, str | bytes | None]

_FORMATO = "datacontenttype"
_ATRIBUTO = re.compile("[a-z0-9]+")
_CORRIENTE = re.compile(r"[!-~]+")
_ESCAPADA = "x-seedwork-"


def a_kafka(cabeceras: Mapping[str, str]) -> list[Bruta]:
    return [(_a_kafka(nombre), valor.encode()) for nombre, valor in cabeceras.items()]


def de_kafka(brutas: Sequence[Bruta]) -> dict[str, str]:
    """Lo repetido se queda con el último valor; lo que no es UTF-8 se lee con sus octetos a la vista."""
    return {_de_kafka(nombre): texto(valor) for nombre, valor in brutas}


def texto(valor: bytes | str | None) -> str:
    if isinstance(valor, bytes):
        return valor.decode(errors="backslashreplace")
    return valor or ""


@lru_cache(maxsize=4096)
def _a_kafka(nombre: str) -> str:
    if nombre == _FORMATO:
        return "content-type"
    if _ATRIBUTO.fullmatch(nombre):
        return f"ce_{nombre}"
    # Lo que el cliente cortaría (un nulo), o se leería después como otra cosa, viaja escapado.
    if not _CORRIENTE.fullmatch(nombre) or nombre.startswith(("ce_", _ESCAPADA)) or nombre == "content-type":
        return _ESCAPADA + quote(nombre, safe="")
    return nombre


@lru_cache(maxsize=4096)
def _de_kafka(nombre: str) -> str:
    if nombre == "content-type":
        return _FORMATO
    if nombre.startswith("ce_"):
        return nombre[3:]
    return unquote(nombre[len(_ESCAPADA) :]) if nombre.startswith(_ESCAPADA) else nombre
