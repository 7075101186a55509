"""Qué tópicos atiende quien se suscribe o lee: los que nombra, y los que existen y casan con sus patrones."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Sequence

from seedwork.infraestructura.brokers import compilar_patrones
from seedwork.infraestructura.brokers.redis.conexion import Conexion

_COMODIN = re.compile(r"[*#]")


class Topicos:
    """Los tópicos de unos patrones, al día, y el despertador de quien los espera."""

    def __init__(self, conexion: Conexion, patrones: Sequence[str]) -> None:
        self.coincide = compilar_patrones(patrones)
        self.literales = [patron for patron in dict.fromkeys(patrones) if not _COMODIN.search(patron)]
        self.nombres: Sequence[str] = self.literales
        self.conocidos = 0
        self._con_comodines = len(self.literales) < len(set(patrones))
        self._conexion = conexion
        self._aviso = asyncio.Event()

    async def refrescar(self) -> None:
        """Vuelve a preguntar a Redis qué tópicos hay."""
        hay = {topico.decode(errors="replace") for topico in await self._conexion.orden("SMEMBERS", self._clave)}
        self.conocidos = len(hay)
        self.nombres = sorted({*filter(self.coincide, hay), *self.literales})

    @property
    def _clave(self) -> str:
        return f"{self._conexion.prefijo}topicos"

    def casa(self, topicos: Collection[str], *, nuevos: bool) -> bool:
        """Si algo de eso le interesa."""
        return (nuevos and self._con_comodines) or any(map(self.coincide, topicos))

    def despertar(self) -> None:
        self._aviso.set()

    def dormir(self) -> None:
        """Los avisos que lleguen desde ahora despiertan; se llama antes de mirar, para no perder ninguno."""
        self._aviso.clear()

    async def esperar(self, maximo_s: float) -> None:
        try:
            async with asyncio.timeout(maximo_s):
                await self._aviso.wait()
        except TimeoutError:
            pass
