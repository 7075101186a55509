"""Quien mira la página: un cliente del websocket que guarda cada evento en el orden en que le llegó."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

PLAZO_S = 30.0


class Espectador:
    def __init__(self) -> None:
        self.eventos: list[dict[str, Any]] = []

    @property
    def ids(self) -> list[str]:
        return [evento["id"] for evento in self.eventos]

    @property
    def repetidos(self) -> list[str]:
        return [id for id, veces in Counter(self.ids).items() if veces > 1]

    def de(self, tipo: str) -> list[str]:
        """De qué reserva es cada evento de ese tipo, en orden."""
        return [evento["subject"] for evento in self.eventos if evento["type"] == tipo]

    async def hasta(self, condicion: Callable[[], bool], que: str, plazo_s: float = PLAZO_S) -> None:
        try:
            async with asyncio.timeout(plazo_s):
                while not condicion():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"pasaron {plazo_s} s sin que {que}; llegaron {len(self.eventos)}") from None


@asynccontextmanager
async def mirando(url: str, desde: str | None = None) -> AsyncIterator[Espectador]:
    """Conectado al websocket de `url` mientras dura el bloque."""
    espectador = Espectador()

    async def leer(ws: aiohttp.ClientWebSocketResponse) -> None:
        async for mensaje in ws:
            if mensaje.type is aiohttp.WSMsgType.TEXT:
                espectador.eventos.append(json.loads(mensaje.data))

    parametros = {} if desde is None else {"desde": desde}
    async with aiohttp.ClientSession() as sesion, sesion.ws_connect(f"{url}/ws", params=parametros) as ws:
        lectura = asyncio.create_task(leer(ws))
        try:
            yield espectador
        finally:
            lectura.cancel()
            await asyncio.gather(lectura, return_exceptions=True)
