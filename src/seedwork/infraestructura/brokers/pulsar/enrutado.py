"""En qué partición cae cada mensaje."""

from __future__ import annotations

import itertools
import random
from functools import lru_cache

_SEGUIDOS = 20  # sin clave, a una misma partición antes de pasar a la siguiente


class Enrutador:
    """Elige la partición de los mensajes de un tópico: por su clave, como el cliente de Java.

    Sin clave, seguidos a una misma: lo poco que se publica junto llega también en su orden.
    """

    def __init__(self) -> None:
        # Que no empiecen todos por la misma.
        self._turnos = itertools.count(random.randrange(1 << 16) * _SEGUIDOS)  # noqa: S311

    def elegir(self, clave: str | None, cuantas: int) -> int:
        return (next(self._turnos) // _SEGUIDOS if clave is None else huella_de_java(clave)) % cuantas


@lru_cache(maxsize=4096)
def huella_de_java(clave: str) -> int:
    """`String.hashCode`, sin signo: su `HashingScheme.JavaStringHash`."""
    huella = 0
    for unidad in memoryview(clave.encode("utf-16-le")).cast("H"):
        huella = (31 * huella + unidad) & 0xFFFFFFFF
    return huella & 0x7FFFFFFF
