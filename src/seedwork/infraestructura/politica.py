"""La política ante un fallo, con las mismas palabras en todos los brokers."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sqlalchemy.exc import InterfaceError, OperationalError

from seedwork.dominio.excepciones import ReglaIncumplida, YaExiste
from seedwork.infraestructura.base_datos import BaseOcupada
from seedwork.infraestructura.brokers import BrokerNoDisponible
from seedwork.infraestructura.codificacion import MensajeInvalido


class ErrorPermanente(Exception):
    """Un handler la lanza cuando volver a intentarlo no serviría: el mensaje va a las letras muertas."""


PERMANENTES: tuple[type[Exception], ...] = (MensajeInvalido, ErrorPermanente, ReglaIncumplida, YaExiste)
"""Lo que no arregla el tiempo."""

DE_INFRAESTRUCTURA: tuple[type[Exception], ...] = (BrokerNoDisponible, BaseOcupada, OperationalError, InterfaceError)
"""Lo que no es culpa del mensaje: se espera sin gastarle intentos."""


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
        if (self.maximo is not None and self.maximo < 0) or self.espera_s < 0 or self.factor < 1:
            raise ValueError("Reintentos: `maximo` y `espera_s` no pueden ser negativos, ni `factor` menor que 1")
        if not 0 <= self.jitter <= 1:
            raise ValueError("Reintentos: `jitter` es una fracción entre 0 y 1")

    def agotados(self, intentos: int) -> bool:
        """Si con `intentos` fallidos ya no queda ninguno."""
        return self.maximo is not None and intentos > self.maximo

    def espera_tras(self, intentos: int) -> float:
        """Los segundos que se espera después del intento fallido número `intentos` (desde 1)."""
        espera = min(self.tope_s, self.espera_s * self.factor ** min(intentos - 1, 64))
        return espera * (1 + self.jitter * random.uniform(-1, 1))  # noqa: S311 - no es un secreto
