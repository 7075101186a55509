"""La política ante un fallo, con las mismas palabras en todos los brokers."""

from __future__ import annotations

import math
import random
import sqlite3
from dataclasses import dataclass

from sqlalchemy.exc import InterfaceError, OperationalError

from seedwork.dominio.excepciones import ReglaIncumplida, YaExiste
from seedwork.infraestructura.base_datos import BaseOcupada
from seedwork.infraestructura.brokers import BrokerNoDisponible, MensajeNoPublicable
from seedwork.infraestructura.codificacion import MensajeInvalido


class ErrorPermanente(Exception):
    """Un handler la lanza cuando volver a intentarlo no serviría: el mensaje va a las letras muertas."""


PERMANENTES: tuple[type[Exception], ...] = (
    MensajeInvalido,
    MensajeNoPublicable,
    ErrorPermanente,
    ReglaIncumplida,
    YaExiste,
)
"""Lo que no arregla el tiempo."""


def es_de_infraestructura(error: Exception) -> bool:
    """Si el fallo no es culpa del mensaje ni del handler: se espera a que pase, sin gastar intentos."""
    if isinstance(error, OperationalError):
        # Para SQLite, una consulta mal escrita también es «operacional».
        return getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
    return isinstance(error, BrokerNoDisponible | BaseOcupada | InterfaceError)


@dataclass(frozen=True, kw_only=True)
class Reintentos:
    """Cuántas veces más se intenta lo que falló, y cada cuánto.

    `maximo` son los reintentos tras el primer intento (None: sin límite); la espera del n-ésimo, en segundos, es
    `espera_s * factor ** (n - 1)`, no más de `tope_s`, y varía al azar hasta una fracción `jitter` de sí misma.
    """

    maximo: int | None = 3
    espera_s: float = 10.0
    factor: float = 1.0
    jitter: float = 0.0
    tope_s: float = 3600.0

    def __post_init__(self) -> None:
        if (self.maximo is not None and self.maximo < 0) or not 0 <= self.espera_s < math.inf:
            raise ValueError("Reintentos: `maximo` y `espera_s` no pueden ser negativos, y la espera es finita")
        if not 1 <= self.factor < math.inf or not 0 <= self.tope_s < math.inf:
            raise ValueError("Reintentos: `factor` es al menos 1, `tope_s` no es negativo, y los dos son finitos")
        if not 0 <= self.jitter <= 1:
            raise ValueError("Reintentos: `jitter` es una fracción entre 0 y 1")

    def agotados(self, intentos: int) -> bool:
        """Si con `intentos` fallidos ya no queda ninguno."""
        return self.maximo is not None and intentos > self.maximo

    def espera_tras(self, intentos: int) -> float:
        """Los segundos que se espera después del intento fallido número `intentos` (desde 1)."""
        try:
            espera = min(self.tope_s, self.espera_s * self.factor ** (intentos - 1))
        except OverflowError:
            espera = self.tope_s
        return espera * (1 + self.jitter * random.uniform(-1, 1))  # noqa: S311 - no es un secreto


ESPERA_DE_ESQUEMA = Reintentos(maximo=64, espera_s=1, factor=2, tope_s=60)
"""Ante lo escrito con una versión desconocida: en una hora, a este proceso lo habrá relevado uno que la conozca."""
