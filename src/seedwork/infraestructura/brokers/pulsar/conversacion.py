"""Lo que el cliente de Pulsar no deja pedir: qué tópicos hay, y si el broker contesta y nos deja entrar.

Por HTTP haría falta abrir también el puerto de administración. Del protocolo binario bastan tres órdenes.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable, Iterator

from seedwork.infraestructura.brokers import BrokerNoDisponible, ErrorBroker
from seedwork.infraestructura.brokers.pulsar.direccion import Direccion

EXPLORACION_S = 1.0  # cada cuánto se buscan tópicos nuevos para un comodín
_PLAZO_S = 4.0
_TAMANO_MAXIMO = 64 * 1024 * 1024
_VERSION = 19  # del protocolo: la primera que admite preguntar sólo por los cambios
# PulsarApi.proto: el tipo de una orden es también el campo en que viaja.
_SALUDO, _SALUDADO, _ERROR, _PING, _PONG, _TOPICOS, _TOPICOS_DADOS = 2, 3, 14, 18, 19, 32, 33


class Conversacion:
    """Una conexión que se abre al usarla y, si se corta, a la siguiente pregunta."""

    def __init__(self, direccion: Direccion) -> None:
        self._direccion = direccion
        self._turno = asyncio.Lock()
        self._lector: asyncio.StreamReader | None = None
        self._escritor: asyncio.StreamWriter | None = None
        self._vistos: list[str] = []
        self._huella = b""

    async def saludar(self) -> None:
        """Vuelve si el broker contesta; `BrokerNoDisponible` si no, `ErrorBroker` si no nos deja entrar."""
        await self._hablar(lambda: self._pedir(_PING, b"", _PONG))

    async def topicos(self) -> list[str]:
        """Los nombres de los tópicos que hay; los mismos errores."""
        await self._hablar(self._preguntar)
        return self._vistos

    async def _hablar(self, hacer: Callable[[], Awaitable[object]]) -> None:
        async with self._turno:
            while True:
                reutilizada = self._escritor is not None
                try:
                    async with asyncio.timeout(_PLAZO_S):
                        if not reutilizada:
                            await self._abrir()
                        await hacer()
                    return
                except (OSError, EOFError, TimeoutError, ValueError, struct.error) as error:
                    self.cerrar()
                    if not reutilizada:  # si lo era, pudo cortarse mientras nadie la usaba
                        raise BrokerNoDisponible(
                            f"El broker {self._direccion.servicio} no responde: {error or 'se acabó el plazo'}"
                        ) from error
                except BaseException:
                    self.cerrar()
                    raise

    def cerrar(self) -> None:
        if self._escritor is not None:
            self._escritor.transport.abort()
        self._lector = self._escritor = None

    async def _abrir(self) -> None:
        direccion = self._direccion
        tls = direccion.tls()
        self._lector, self._escritor = await asyncio.open_connection(direccion.host, direccion.puerto, ssl=tls)
        self._huella = b""
        saludo = _texto(1, b"seedwork") + _numero(4, _VERSION)
        if direccion.acceso is not None:
            metodo, secreto = direccion.acceso
            saludo += _texto(3, secreto.encode()) + _texto(5, metodo.encode())
        await self._pedir(_SALUDO, saludo, _SALUDADO)

    async def _preguntar(self) -> None:
        pregunta = _numero(1, 1) + _texto(2, self._direccion.espacio.encode()) + _numero(3, 0)
        if self._huella:
            pregunta += _texto(5, self._huella)
        completos: list[bytes] = []
        cambiaron = True
        for campo, valor in _campos(await self._pedir(_TOPICOS, pregunta, _TOPICOS_DADOS)):
            if campo == 2 and isinstance(valor, bytes):
                completos.append(valor)
            elif campo == 4 and isinstance(valor, bytes):
                self._huella = valor
            elif campo == 5:
                cambiaron = bool(valor)
        if cambiaron:
            self._vistos = sorted({self._direccion.nombre(completo.decode()) for completo in completos})

    async def _pedir(self, orden: int, contenido: bytes, respuesta: int) -> bytes:
        if self._escritor is None or self._lector is None:
            raise ConnectionResetError("la conexión se cerró")
        cuerpo = _numero(1, orden) + _texto(orden, contenido)
        self._escritor.write(struct.pack(">II", len(cuerpo) + 4, len(cuerpo)) + cuerpo)
        while True:  # entre medias, Pulsar pregunta si seguimos ahí: le vale con la próxima pregunta
            total, largo = struct.unpack(">II", await self._lector.readexactly(8))
            if not largo + 4 <= total <= _TAMANO_MAXIMO:
                raise ValueError("lo que contesta no es Pulsar")
            campos = dict(_campos((await self._lector.readexactly(total - 4))[:largo]))
            dado = campos.get(respuesta)
            if isinstance(dado, bytes):
                return dado
            if isinstance(fallo := campos.get(_ERROR), bytes):
                motivo = dict(_campos(fallo)).get(3, b"")
                texto = motivo.decode(errors="replace") if isinstance(motivo, bytes) else ""
                raise ErrorBroker(f"El broker {self._direccion.servicio} lo rechaza: {texto}")


def _varint(valor: int) -> bytes:
    escrito = bytearray()
    while valor > 0x7F:
        escrito.append(valor & 0x7F | 0x80)
        valor >>= 7
    return bytes([*escrito, valor])


def _numero(campo: int, valor: int) -> bytes:
    return _varint(campo << 3) + _varint(valor)


def _texto(campo: int, valor: bytes) -> bytes:
    return _varint(campo << 3 | 2) + _varint(len(valor)) + valor


def _campos(escrito: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Los campos de un mensaje de protobuf; `ValueError` si no lo es."""
    lugar = 0

    def varint() -> int:
        nonlocal lugar
        valor = despl = 0
        while True:
            if lugar >= len(escrito) or despl > 63:
                raise ValueError("lo que contesta no es Pulsar")
            octeto = escrito[lugar]
            lugar += 1
            valor |= (octeto & 0x7F) << despl
            despl += 7
            if octeto < 0x80:
                return valor

    while lugar < len(escrito):
        campo, forma = divmod(varint(), 8)
        if forma == 0:
            yield campo, varint()
            continue
        largo = {1: 8, 5: 4}.get(forma)
        largo = varint() if forma == 2 else largo
        if largo is None or lugar + largo > len(escrito):
            raise ValueError("lo que contesta no es Pulsar")
        yield campo, escrito[lugar : lugar + largo]
        lugar += largo
