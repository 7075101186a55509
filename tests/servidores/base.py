"""Qué es un servidor de pruebas: sus puertos, qué necesita, cómo se prepara, se lanza y se sabe que atiende."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ANFITRION = "127.0.0.1"


class NoDisponible(Exception):
    """Un servidor no se puede tener aquí; el texto dice en una frase qué hacer."""


@dataclass(frozen=True)
class Sitio:
    """Lo que un servidor tiene para sí: una carpeta y sus puertos, por nombre."""

    carpeta: Path
    puertos: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Orden:
    """Un proceso que lanzar.

    `usuario` es bajo quién corre cuando quien lanza es root. El siguiente espera a que este escuche en `puerto`.
    """

    nombre: str
    argumentos: Sequence[str]
    carpeta: Path
    entorno: Mapping[str, str] = field(default_factory=dict)
    usuario: str | None = None
    puerto: int | None = None


@dataclass(frozen=True)
class Requisito:
    """Algo que falta, y el paquete que lo trae en Debian y en Homebrew."""

    que: str
    debian: str
    homebrew: str

    def __str__(self) -> str:
        return f"falta {self.que}: `apt-get install {self.debian}` (Debian) o `brew install {self.homebrew}` (macOS)"


class Servidor(ABC):
    """Un servidor que se sabe arrancar. No guarda estado: todo lo suyo está en su `Sitio`."""

    nombre: str
    puertos: Mapping[str, int]
    procesos: Sequence[str]
    senal_parada = signal.SIGTERM
    plazo_parada_s = 20.0

    @abstractmethod
    def faltan(self) -> list[Requisito]:
        """Lo que no está instalado."""

    @abstractmethod
    def preparar(self, sitio: Sitio) -> None:
        """Deja la carpeta lista para el primer arranque. Se llama una vez por carpeta."""

    @abstractmethod
    def ordenes(self, sitio: Sitio) -> list[Orden]:
        """Un proceso por nombre de `procesos`, en orden de arranque; escribe la configuración. Se paran al revés."""

    @abstractmethod
    def atiende(self, sitio: Sitio) -> bool:
        """Si contesta en su protocolo y puede usarse ya. Un `OSError` o una respuesta cortada es que no."""

    @abstractmethod
    def urls(self, sitio: Sitio) -> dict[str, str]:
        """Las variables con que las pruebas lo encuentran."""
