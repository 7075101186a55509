"""De quién es cada carril: de quien tenga el consumidor único de su cerrojo.

Es una suscripción Exclusive en un tópico sin mensajes. Está en una conexión propia porque las del cliente de Pulsar se
rehacen solas y en silencio: aquí, si se corta, no se tiene ningún cerrojo y se sabe.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from urllib.parse import urlsplit

from seedwork.infraestructura.brokers import BrokerNoDisponible, ErrorBroker
from seedwork.infraestructura.brokers.pulsar.direccion import Direccion
from seedwork.infraestructura.brokers.pulsar.protobuf import entero, leer_texto, numero, texto
from seedwork.infraestructura.brokers.pulsar.protocolo import BUSCAR, CERRAR_CONSUMIDOR, SUSCRIBIR, Conexion, Rechazo

_OCUPADO = 5  # ServerError.ConsumerBusy
_REDIRIGE, _CONECTA = 0, 1
_SALTOS_MAXIMO = 20
# Pulsar comprueba antes, hasta 5 s, que quien lo tiene siga vivo.
_PLAZO_S = 7.0


class Cerrojos:
    """Los cerrojos de una suscripción, vistos por el consumidor `yo`; `al_perder` avisa de que se perdió alguno."""

    def __init__(self, direccion: Direccion, topico: str, yo: str, al_perder: Callable[[], None]) -> None:
        self._direccion = direccion
        self._topico = topico
        self._yo = yo
        self._al_perder = al_perder
        self._conexion: Conexion | None = None
        self._turno = asyncio.Lock()
        self._numeros = itertools.count(1)
        self._tengo: dict[int, int] = {}  # el consumidor que es el cerrojo de cada carril

    async def abrir(self) -> None:
        """Deja hecha la conexión, que si no se haría al echar el primero."""
        await self._conectada()

    def tiene(self, carril: int) -> bool:
        return carril in self._tengo

    async def echar(self, carril: int) -> bool:
        """Si se tiene desde ahora, o ya se tenía; False si es de otro."""
        if carril in self._tengo:
            return True
        conexion = await self._conectada()
        consumidor = next(self._numeros)
        orden = (
            texto(1, self._topico.encode())
            + texto(2, f"carril~{carril}".encode())
            + numero(3, 0)  # Exclusive
            + numero(4, consumidor)
            + texto(6, self._yo.encode())
        )
        try:
            await conexion.pedir(SUSCRIBIR, orden, campo_del_numero=5, plazo_s=_PLAZO_S)
        except Rechazo as error:
            if error.codigo == _OCUPADO:
                return False
            raise
        except BaseException:
            if conexion.abierta:  # todavía podría concederse
                conexion.mandar(CERRAR_CONSUMIDOR, numero(1, consumidor) + numero(2, 0))
            raise
        if not conexion.abierta:
            return False
        self._tengo[carril] = consumidor
        return True

    async def quitar(self, carril: int) -> None:
        consumidor = self._tengo.pop(carril, None)
        if consumidor is not None and self._conexion is not None:
            try:
                await self._conexion.pedir(CERRAR_CONSUMIDOR, numero(1, consumidor), campo_del_numero=2)
            except BaseException:
                self.cerrar()  # a medias quedaría echado y sin dueño
                self._al_perder()
                raise

    async def comprobar(self) -> None:
        """Si la conexión ya no responde, se da por cortada: no se tiene ninguno."""
        if self._conexion is not None:
            try:
                await self._conexion.ping()
            except BrokerNoDisponible:
                self.cerrar()

    def cerrar(self) -> None:
        """Los quita todos, aunque el broker no conteste."""
        self._tengo.clear()
        if self._conexion is not None:
            self._conexion.cerrar()
        self._conexion = None

    def _perdido(self, consumidor: int | None) -> None:
        self._tengo = {c: suyo for c, suyo in self._tengo.items() if consumidor not in (None, suyo)}
        self._al_perder()

    async def _conectada(self) -> Conexion:
        async with self._turno:
            if self._conexion is None or not self._conexion.abierta:
                self._conexion = await self._conectar()
            return self._conexion

    async def _conectar(self) -> Conexion:
        """Con el broker que atiende el tópico, que en un clúster puede ser otro que el de la URL."""
        conexion = await Conexion.abrir(self._direccion, self._perdido)
        autoridad = 0
        for _ in range(_SALTOS_MAXIMO):
            try:
                pregunta = texto(1, self._topico.encode()) + numero(3, autoridad)
                dicho = await conexion.pedir(BUSCAR, pregunta, campo_del_numero=2)
            except BaseException:
                conexion.cerrar()
                raise
            que, autoridad = entero(dicho, 3), entero(dicho, 5)
            if que not in (_REDIRIGE, _CONECTA):
                conexion.cerrar()
                raise BrokerNoDisponible(f"Pulsar no dice quién atiende {self._topico}: {leer_texto(dicho, 7)}")
            conexion = await self._ir(
                conexion, leer_texto(dicho, 2 if self._direccion.cifrada else 1), entero(dicho, 8)
            )
            if que == _CONECTA:
                return conexion
        conexion.cerrar()
        raise BrokerNoDisponible(f"Pulsar no acaba de decir quién atiende {self._topico}")

    async def _ir(self, conexion: Conexion, url: str, por_el_proxy: int) -> Conexion:
        partes = urlsplit(url)
        if (partes.hostname, partes.port) == (self._direccion.host, self._direccion.puerto):
            return conexion
        conexion.cerrar()
        if not partes.hostname or not partes.port:
            raise ErrorBroker(f"Pulsar dice que {self._topico} está en {url!r}, que no es una dirección")
        if por_el_proxy:
            return await Conexion.abrir(self._direccion, self._perdido, a_traves_de=partes.netloc)
        return await Conexion.abrir(self._direccion, self._perdido, host=partes.hostname, puerto=partes.port)
