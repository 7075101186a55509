"""Ejecutar un comando más tarde, en otro proceso."""

from __future__ import annotations

from typing import Any, Protocol

from seedwork.aplicacion.comandos import Comando


class EjecucionesProhibidas(RuntimeError):
    """Este sistema se armó con `permitir_ejecuciones_asincronas=False`."""


class SinEjecutorDiferido(RuntimeError):
    """Se pidió ejecutar después y nadie se encarga de hacerlo."""


class EjecucionesDiferidas(Protocol):
    """Quien deja un comando para después: se ejecuta si, y sólo si, la transacción en curso se confirma."""

    def ejecutar_despues(self, comando: Comando[Any], *, espera_s: float = 0.0) -> str:
        """Deja el comando para dentro de `espera_s` segundos, como pronto; devuelve el id de esa ejecución.

        Lanza `EjecucionesProhibidas`, `SinEjecutorDiferido`, `SinHandler` si ningún módulo atiende el comando, o
        `ValueError` si la espera no vale o el comando no se puede escribir.
        """
        ...
