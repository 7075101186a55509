"""Qué se arranca: los procesos de una suite y cómo se sabe que cada uno está listo."""

from collections.abc import Callable
from dataclasses import dataclass


class ArranqueImposible(Exception):
    """La suite no se puede arrancar; el mensaje es la frase que lee quien la arranca."""


@dataclass(frozen=True, kw_only=True)
class Puerto:
    """Un puerto TCP que un proceso va a ocupar; `variable` es la del entorno que lo cambia."""

    numero: int
    variable: str
    para: str
    host: str = "127.0.0.1"

    @property
    def alcanzable(self) -> str:
        """El host por el que se llega desde esta máquina: escuchar en todas las interfaces incluye el bucle local."""
        return "localhost" if self.host in {"", "0.0.0.0", "::", "[::]", "127.0.0.1"} else self.host  # noqa: S104


@dataclass(frozen=True, kw_only=True)
class Proceso:
    """Un proceso de la suite.

    `listo` recibe el pid y dice si ya atiende: no lanza, y responde en pocos segundos. `orden` se ejecuta sin
    shell, así que el pid es el del proceso mismo.
    """

    nombre: str
    orden: tuple[str, ...]
    listo: Callable[[int], bool]
    puerto: Puerto | None = None


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Procesos que viven y mueren juntos; `anuncio` es la línea que se escribe cuando todos están listos."""

    procesos: tuple[Proceso, ...]
    anuncio: str
    plazo_listo_s: float = 60
    gracia_s: float = 7
