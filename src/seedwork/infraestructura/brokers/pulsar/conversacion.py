"""Lo que el cliente de Pulsar no deja preguntar: qué tópicos hay, y si el broker contesta y nos deja entrar.

Por HTTP haría falta abrir también el puerto de administración.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from seedwork.infraestructura.brokers import BrokerNoDisponible
from seedwork.infraestructura.brokers.pulsar.direccion import Direccion
from seedwork.infraestructura.brokers.pulsar.protobuf import numero, texto
from seedwork.infraestructura.brokers.pulsar.protocolo import TOPICOS, Conexion

EXPLORACION_S = 1.0  # cada cuánto se buscan tópicos nuevos para un comodín


class Conversacion:
    """Una conexión que se abre al usarla y, si se corta, a la siguiente pregunta."""

    def __init__(self, direccion: Direccion) -> None:
        self._direccion = direccion
        self._turno = asyncio.Lock()
        self._conexion: Conexion | None = None
        self._vistos: list[str] = []
        self._huella = b""

    async def saludar(self) -> None:
        """Vuelve si el broker contesta; `BrokerNoDisponible` si no, `ErrorBroker` si no nos deja entrar."""
        await self._hablar(Conexion.ping)

    async def topicos(self) -> list[str]:
        """Los nombres de los tópicos que hay, y de los particionados, los de sus particiones; los mismos errores."""
        await self._hablar(self._preguntar)
        return self._vistos

    async def _hablar(self, hacer: Callable[[Conexion], Awaitable[object]]) -> None:
        async with self._turno:
            if self._conexion is not None and self._conexion.abierta:
                try:
                    await hacer(self._conexion)
                except BrokerNoDisponible:
                    self.cerrar()  # pudo cortarse mientras nadie la usaba
                else:
                    return
            self._huella = b""
            self._conexion = await Conexion.abrir(self._direccion)
            await hacer(self._conexion)

    def cerrar(self) -> None:
        if self._conexion is not None:
            self._conexion.cerrar()
        self._conexion = None

    async def _preguntar(self, conexion: Conexion) -> None:
        pregunta = texto(2, self._direccion.espacio.encode()) + numero(3, 0)
        if self._huella:
            pregunta += texto(5, self._huella)
        completos: list[bytes] = []
        cambiaron = True
        for campo, valor in await conexion.pedir(TOPICOS, pregunta, campo_del_numero=1):
            if campo == 2 and isinstance(valor, bytes):
                completos.append(valor)
            elif campo == 4 and isinstance(valor, bytes):
                self._huella = valor
            elif campo == 5:
                cambiaron = bool(valor)
        if cambiaron:
            self._vistos = sorted({completo.decode().rpartition("/")[2] for completo in completos})
