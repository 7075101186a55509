"""El protocolo binario de Pulsar, en lo que su cliente no deja pedir: órdenes en protobuf sobre una conexión."""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import Callable

from seedwork.infraestructura.brokers import BrokerNoDisponible, ErrorBroker
from seedwork.infraestructura.brokers.pulsar.direccion import Direccion
from seedwork.infraestructura.brokers.pulsar.protobuf import Campos, campos, entero, leer_texto, numero, texto

PLAZO_S = 4.0
_TAMANO_MAXIMO = 64 * 1024 * 1024
_VERSION = 19  # del protocolo: la primera que admite preguntar sólo por los cambios
# PulsarApi.proto: el tipo de una orden es también el campo en que viaja.
_SALUDO, _SALUDADO, _ERROR, _PING, _PONG = 2, 3, 14, 18, 19
SUSCRIBIR, HECHO, CERRAR_CONSUMIDOR = 4, 13, 16
BUSCAR, BUSCADO = 23, 24
TOPICOS, TOPICOS_DADOS = 32, 33
_NUMERO_DE_PREGUNTA = {HECHO: 1, _ERROR: 1, BUSCADO: 4, TOPICOS_DADOS: 1}
_SIN_NUMERO = -1  # el saludo y el ping


class Rechazo(ErrorBroker):
    """El broker contesta que no; `codigo` es el `ServerError` del protocolo."""

    def __init__(self, frase: str, codigo: int) -> None:
        super().__init__(frase)
        self.codigo = codigo


class Conexion:
    """Una conexión abierta. Las respuestas se esperan por su número, en cualquier orden.

    `al_perder` recibe el consumidor que el broker cierre por su cuenta, o None cuando se corta la conexión.
    """

    def __init__(
        self,
        direccion: Direccion,
        lector: asyncio.StreamReader,
        escritor: asyncio.StreamWriter,
        al_perder: Callable[[int | None], None],
    ) -> None:
        self._direccion = direccion
        self._lector = lector
        self._escritor = escritor
        self._al_perder = al_perder
        self._numeros = itertools.count(1)
        self._esperas: dict[int, asyncio.Future[Campos]] = {}
        self.abierta = True
        self._tarea = asyncio.create_task(self._leer())

    @classmethod
    async def abrir(
        cls,
        direccion: Direccion,
        al_perder: Callable[[int | None], None] = lambda _: None,
        *,
        host: str = "",
        puerto: int = 0,
        a_traves_de: str = "",
    ) -> Conexion:
        """Con el broker de la URL, o con ese otro; `a_traves_de` un proxy, `host:puerto` es a quién debe llevarnos.

        Lanza `BrokerNoDisponible`, o `ErrorBroker` si no nos deja entrar.
        """
        destino = host or direccion.host, puerto or direccion.puerto
        conexion: Conexion | None = None
        try:
            async with asyncio.timeout(PLAZO_S):
                lector, escritor = await asyncio.open_connection(*destino, ssl=direccion.tls())
                conexion = cls(direccion, lector, escritor, al_perder)
                saludo = texto(1, b"seedwork") + numero(4, _VERSION)
                if direccion.acceso is not None:
                    metodo, secreto = direccion.acceso
                    saludo += texto(3, secreto.encode()) + texto(5, metodo.encode())
                if a_traves_de:
                    saludo += texto(6, a_traves_de.encode())
                await conexion._pedir(_SALUDO, saludo, _SIN_NUMERO)
        except BaseException as error:
            if conexion is not None:
                conexion.cerrar()
            if isinstance(error, OSError | EOFError | TimeoutError):
                raise conexion_perdida(direccion, error) from error
            raise
        return conexion

    async def ping(self) -> None:
        await self._con_plazo(_PING, b"", _SIN_NUMERO, PLAZO_S)

    async def pedir(self, orden: int, contenido: bytes, *, campo_del_numero: int, plazo_s: float = PLAZO_S) -> Campos:
        """Lo que responde a esa orden. Lanza `Rechazo`, o `BrokerNoDisponible` si no contesta a tiempo."""
        pregunta = next(self._numeros)
        return await self._con_plazo(orden, contenido + numero(campo_del_numero, pregunta), pregunta, plazo_s)

    async def _con_plazo(self, orden: int, contenido: bytes, pregunta: int, plazo_s: float) -> Campos:
        try:
            async with asyncio.timeout(plazo_s):
                return await self._pedir(orden, contenido, pregunta)
        except (OSError, TimeoutError) as error:
            raise conexion_perdida(self._direccion, error) from error

    async def _pedir(self, orden: int, contenido: bytes, pregunta: int) -> Campos:
        if not self.abierta:
            raise ConnectionResetError("la conexión se cerró")
        espera = self._esperas.setdefault(pregunta, asyncio.get_running_loop().create_future())
        self.mandar(orden, contenido)
        try:
            return await asyncio.shield(espera)
        finally:
            self._esperas.pop(pregunta, None)

    def mandar(self, orden: int, contenido: bytes) -> None:
        """Sin esperar respuesta."""
        cuerpo = numero(1, orden) + texto(orden, contenido)
        self._escritor.write(struct.pack(">II", len(cuerpo) + 4, len(cuerpo)) + cuerpo)

    def cerrar(self) -> None:
        self._al_perder = lambda _: None
        self._tarea.cancel()
        self._cortada(ConnectionResetError("la conexión se cerró"))

    async def _leer(self) -> None:
        error: Exception = ConnectionResetError("la conexión se cerró")
        try:
            while True:
                total, largo = struct.unpack(">II", await self._lector.readexactly(8))
                if not largo + 4 <= total <= _TAMANO_MAXIMO:
                    raise ValueError("lo que contesta no es Pulsar")
                orden = list(campos((await self._lector.readexactly(total - 4))[:largo]))
                self._llega(entero(orden, 1), dict(orden))
        except (OSError, EOFError, ValueError, struct.error) as fallo:
            error = fallo if isinstance(fallo, OSError) else ConnectionResetError(str(fallo) or "la conexión se cerró")
        finally:
            self._cortada(error)

    def _llega(self, tipo: int, orden: dict[int, int | bytes]) -> None:
        escrito = orden.get(tipo, b"")
        contenido = list(campos(escrito)) if isinstance(escrito, bytes) else []
        if tipo == _PING:
            self.mandar(_PONG, b"")
        elif tipo == CERRAR_CONSUMIDOR:
            self._al_perder(entero(contenido, 1))
        elif tipo == _ERROR:
            fallo = Rechazo(
                f"El broker {self._direccion.servicio} lo rechaza: {leer_texto(contenido, 3)}", entero(contenido, 2)
            )
            pregunta = entero(contenido, 1)
            self._cumplir(pregunta if pregunta in self._esperas else _SIN_NUMERO, fallo)
        elif tipo in (_SALUDADO, _PONG):
            self._cumplir(_SIN_NUMERO, contenido)
        elif tipo in _NUMERO_DE_PREGUNTA:
            self._cumplir(entero(contenido, _NUMERO_DE_PREGUNTA[tipo]), contenido)

    def _cumplir(self, pregunta: int, respuesta: Campos | Exception) -> None:
        espera = self._esperas.pop(pregunta, None)
        if espera is None or espera.done():
            return
        if isinstance(respuesta, Exception):
            espera.set_exception(respuesta)
        else:
            espera.set_result(respuesta)

    def _cortada(self, error: Exception) -> None:
        if self.abierta:
            self.abierta = False
            self._escritor.transport.abort()
            for pregunta in list(self._esperas):
                self._cumplir(pregunta, error)
            self._al_perder(None)


def conexion_perdida(direccion: Direccion, error: BaseException) -> BrokerNoDisponible:
    return BrokerNoDisponible(f"El broker {direccion.servicio} no responde: {error or 'se acabó el plazo'}")
