"""Despertar al event loop desde otro hilo."""

from __future__ import annotations

import asyncio
import contextlib


class Aviso:
    """Quien espera toma `proximo()` antes de mirar: así no pierde lo que llegue entretanto. Se crea dentro del loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._evento = asyncio.Event()
        self._en_camino = False

    def proximo(self) -> asyncio.Event:
        return self._evento

    def dar(self) -> None:
        """Desde cualquier hilo; muchos seguidos despiertan una vez."""
        if not self._en_camino:
            self._en_camino = True
            with contextlib.suppress(RuntimeError):  # el loop ya se cerró: nadie espera
                self._loop.call_soon_threadsafe(self._despertar)

    def _despertar(self) -> None:
        self._en_camino = False
        self._evento.set()
        self._evento = asyncio.Event()
