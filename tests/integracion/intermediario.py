"""Un intermediario TCP entre un cliente y su servidor: se le puede mandar callar, seguir, o colgar."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Intermediario:
    """`puerto` es donde escucha, en loopback."""

    def __init__(self, puerto_real: int) -> None:
        self._puerto_real = puerto_real
        self._tareas: set[asyncio.Task[None]] = set()
        self._extremos: set[asyncio.StreamWriter] = set()
        self._pasa = asyncio.Event()
        self._pasa.set()
        self._atiende = True
        self.puerto = 0

    def callar(self) -> None:
        """Las conexiones siguen abiertas, pero no pasa nada por ellas."""
        self._pasa.clear()

    def seguir(self) -> None:
        self._pasa.set()
        self._atiende = True

    def colgar(self, *, atiende: bool = True) -> None:
        """Corta las conexiones; si no `atiende`, cuelga también a quien vuelva."""
        self._atiende = atiende
        for extremo in list(self._extremos):
            extremo.transport.abort()

    async def _conectar(self, lector: asyncio.StreamReader, escritor: asyncio.StreamWriter) -> None:
        if not self._atiende:
            escritor.transport.abort()
            return
        otro_lector, otro_escritor = await asyncio.open_connection("127.0.0.1", self._puerto_real)
        self._extremos |= {escritor, otro_escritor}
        for de, a in ((lector, otro_escritor), (otro_lector, escritor)):
            tarea = asyncio.create_task(self._pasar(de, a))
            self._tareas.add(tarea)
            tarea.add_done_callback(self._tareas.discard)

    async def _pasar(self, de: asyncio.StreamReader, a: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while datos := await de.read(65536):
                await self._pasa.wait()
                a.write(datos)
                await a.drain()
        a.close()
        self._extremos.discard(a)

    @asynccontextmanager
    async def abierto(self) -> AsyncIterator[Intermediario]:
        servidor = await asyncio.start_server(self._conectar, "127.0.0.1", 0)
        self.puerto = servidor.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            servidor.close()
            for tarea in list(self._tareas):
                tarea.cancel()
            await asyncio.gather(*self._tareas, return_exceptions=True)
            self.colgar()
