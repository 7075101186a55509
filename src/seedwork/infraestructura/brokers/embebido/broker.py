"""La cara asíncrona del broker embebido: un hilo para el SQL, un vigía para los cambios, un latido para los vivos."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import apsw
import structlog

from seedwork.infraestructura.brokers import (
    BrokerCerrado,
    BrokerNoDisponible,
    Entrega,
    ErrorBroker,
    LetraMuerta,
    Mensaje,
    compilar_patrones,
    validar,
)
from seedwork.infraestructura.brokers.embebido.almacen import VIDA_S, Almacen, abrir, ahora_ms

T = TypeVar("T")
_log = structlog.get_logger(__name__)

TAMANO_MAXIMO = 5 * 1024 * 1024
RETENCION_S = 7 * 24 * 3600.0
_REVISION_S = 1.0  # aunque nadie avise: consumidores muertos y avisos perdidos
_SONDEO_MINIMO_S, _SONDEO_MAXIMO_S = 0.001, 0.008  # despertar cuesta más que mirar
_PURGA_S = 3600.0
_LOTE_PURGA = 1_000
_PASAJEROS = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.ProtocolError,
    apsw.IOError,
    apsw.FullError,
    apsw.CantOpenError,
    apsw.NoMemError,
)


class BrokerEmbebido:
    """Un `Broker` sobre SQLite. No abre el archivo hasta que se usa."""

    def __init__(self, ruta: str | None) -> None:
        self._ruta = None if ruta is None else str(Path(ruta).absolute())
        self._hilo = ThreadPoolExecutor(1, thread_name_prefix="broker-embebido")
        self._almacen: Almacen | None = None
        self._cambio = asyncio.Event()
        self._tareas: list[asyncio.Task[None]] = []
        self._consumidores: set[tuple[int, str]] = set()
        self.cerrado = False
        self.letras_muertas = LetrasMuertasEmbebidas(self)

    async def publicar(self, mensajes: Sequence[Mensaje]) -> None:
        for mensaje in mensajes:
            validar(mensaje, TAMANO_MAXIMO)
        if mensajes:
            await self.hacer(Almacen.publicar, mensajes)
            self.avisar()

    async def suscribir(
        self, suscripcion: str, topicos: Sequence[str], *, desde: str = "inicio"
    ) -> SuscripcionEmbebida:
        coincide = compilar_patrones(topicos)
        id = await self.hacer(Almacen.suscribir, suscripcion, topicos, desde)
        consumidor = (id, uuid.uuid4().hex)
        await self.hacer(Almacen.latir, [consumidor])
        self._consumidores.add(consumidor)
        self._empezar()
        return SuscripcionEmbebida(self, coincide, *consumidor)

    async def leer(self, topicos: Sequence[str], *, desde_hace_s: float = 0) -> LectorEmbebido:
        coincide = compilar_patrones(topicos)
        pos = await self.hacer(Almacen.pos_desde, ahora_ms() - int(desde_hace_s * 1000) + (desde_hace_s == 0))
        self._empezar()
        return LectorEmbebido(self, coincide, pos)

    async def comprobar(self) -> None:
        await self.hacer(Almacen.responder)

    async def cerrar(self) -> None:
        if self.cerrado:
            return
        self.cerrado = True
        self.avisar()
        for tarea in self._tareas:
            tarea.cancel()
        await asyncio.gather(*self._tareas, return_exceptions=True)
        self._tareas.clear()
        try:
            await asyncio.get_running_loop().run_in_executor(self._hilo, self._cerrar_almacen)
        finally:
            self._hilo.shutdown(wait=True)

    def _cerrar_almacen(self) -> None:
        if self._almacen is None:
            return
        try:
            for consumidor in self._consumidores:
                self._almacen.despedir(*consumidor)
        except apsw.Error as error:
            _log.warning("broker.despedida_perdida", broker=self._ruta, error=str(error))  # vencerá su latido
        finally:
            self._almacen.cerrar()
            self._almacen = None

    async def hacer(self, funcion: Callable[..., T], *argumentos: Any) -> T:
        """Corre `funcion(almacen, ...)` en el hilo del SQL, entera aunque cancelen a quien espera."""
        if self.cerrado:
            raise BrokerCerrado(f"El broker {self._nombre} está cerrado")
        tarea = asyncio.get_running_loop().run_in_executor(self._hilo, self._con_almacen, funcion, *argumentos)
        return await asyncio.shield(tarea)

    def _con_almacen(self, funcion: Callable[..., T], *argumentos: Any) -> T:
        try:
            if self._almacen is None:
                self._almacen = Almacen(self._ruta)
            return funcion(self._almacen, *argumentos)
        except _PASAJEROS as error:
            raise BrokerNoDisponible(f"El broker {self._nombre} no responde: {error}") from error
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise ErrorBroker(f"El archivo {self._ruta} no es un broker embebido o está dañado: {error}") from error
        except apsw.ReadOnlyError as error:
            raise ErrorBroker(f"No se puede escribir en el broker {self._nombre}: {error}") from error
        except apsw.Error as error:
            raise ErrorBroker(f"El broker {self._nombre} falló: {error!r}") from error

    @property
    def _nombre(self) -> str:
        return self._ruta or "en memoria"

    def avisar(self) -> None:
        """Despierta a quien espera un cambio."""
        self._cambio.set()
        self._cambio = asyncio.Event()

    def cambio(self) -> asyncio.Event:
        """El próximo cambio; se toma antes de mirar, para no perder el que llegue entretanto."""
        return self._cambio

    async def retirar(self, consumidor: tuple[int, str]) -> None:
        self._consumidores.discard(consumidor)
        if not self.cerrado:
            await self.hacer(Almacen.despedir, *consumidor)
            self.avisar()

    def _empezar(self) -> None:
        if not self._tareas:
            self._tareas = [asyncio.create_task(self._latir()), asyncio.create_task(self._purgar())]
            if self._ruta is not None:
                self._tareas.append(asyncio.create_task(self._vigilar(self._ruta)))

    async def _latir(self) -> None:
        while True:
            await asyncio.sleep(VIDA_S / 5)
            try:
                await self.hacer(Almacen.latir, list(self._consumidores))
            except ErrorBroker as error:
                # El siguiente latido lo vuelve a intentar; si se pasa la vida, otro toma lo nuestro.
                _log.warning("broker.sin_latido", broker=self._ruta, error=str(error))

    async def _purgar(self) -> None:
        while True:
            try:
                borrados = await self.hacer(Almacen.purgar, ahora_ms() - int(RETENCION_S * 1000), _LOTE_PURGA)
            except ErrorBroker as error:
                _log.warning("broker.sin_purga", broker=self._ruta, error=str(error))
                borrados = 0  # se purga en la próxima vuelta
            await asyncio.sleep(0.1 if borrados == _LOTE_PURGA else _PURGA_S)

    async def _vigilar(self, ruta: str) -> None:
        # El contador de cambios de SQLite dice, en microsegundos, si otra conexión escribió.
        db = abrir(ruta)
        db.set_busy_timeout(0)
        try:
            visto, espera = None, _SONDEO_MINIMO_S
            while True:
                version = _version(db)
                espera = _SONDEO_MINIMO_S if version != visto else min(espera * 1.2, _SONDEO_MAXIMO_S)
                if version != visto:
                    visto = version
                    self.avisar()
                await asyncio.sleep(espera)
        finally:
            db.close()


class SuscripcionEmbebida:
    """Un consumidor dentro de una suscripción del broker embebido."""

    def __init__(self, broker: BrokerEmbebido, coincide: Callable[[str], bool], id: int, dueno: str) -> None:
        self._broker = broker
        self._coincide = coincide
        self._id = id
        self._dueno = dueno
        self._cerrada = False
        self._de_nadie: set[asyncio.Task[None]] = set()

    async def recibir(self, maximo: int, excepto: Collection[str] = ()) -> list[Entrega]:
        while not (self._cerrada or self._broker.cerrado):
            cambio = self._broker.cambio()
            entregas = await self._tomar(maximo, excepto)
            if entregas:
                return entregas
            await _esperar(cambio, await self._espera_s())
        return []

    async def _tomar(self, maximo: int, excepto: Collection[str]) -> list[Entrega]:
        if self._de_nadie:
            await asyncio.wait(self._de_nadie)  # lo que vuelve va delante de lo que siga de su clave
        tarea = asyncio.ensure_future(
            self._broker.hacer(Almacen.tomar, self._id, self._coincide, self._dueno, maximo, excepto)
        )
        try:
            return await asyncio.shield(tarea)
        except asyncio.CancelledError:
            vuelta = asyncio.create_task(self._devolver_lo_de(tarea))
            self._de_nadie.add(vuelta)
            vuelta.add_done_callback(self._de_nadie.discard)
            await asyncio.shield(vuelta)
            raise
        except BrokerCerrado:
            return []

    async def _devolver_lo_de(self, tarea: asyncio.Future[list[Entrega]]) -> None:
        try:
            await self.devolver(await tarea)  # lo que se tomó para quien ya no espera
        except ErrorBroker as error:
            _log.warning("broker.devolucion_perdida", error=str(error))  # serán de otro cuando esta suscripción cierre

    async def _espera_s(self) -> float:
        try:
            proxima = await self._broker.hacer(Almacen.proxima_ms, self._id)
        except BrokerCerrado:
            return 0
        return _REVISION_S if proxima is None else max(0.001, min(_REVISION_S, (proxima - ahora_ms()) / 1000))

    async def confirmar(self, entregas: Sequence[Entrega]) -> None:
        await self._hacer(Almacen.confirmar, [entrega.referencia for entrega in entregas])
        self._broker.avisar()

    async def iniciar(self, entrega: Entrega) -> int:
        intentos: int | None = await self._hacer(Almacen.iniciar, entrega.referencia)
        return entrega.intentos + 1 if intentos is None else intentos

    async def reintentar(self, entrega: Entrega, espera_s: float) -> None:
        await self._hacer(Almacen.reintentar, entrega.referencia, entrega.intentos + 1, espera_s)
        self._broker.avisar()

    async def desechar(self, entrega: Entrega, motivo: str) -> None:
        await self._hacer(Almacen.desechar, entrega.referencia, motivo, entrega.intentos)
        self._broker.avisar()

    async def devolver(self, entregas: Sequence[Entrega]) -> None:
        if entregas:
            await self._hacer(Almacen.devolver, entregas)
            self._broker.avisar()

    async def cerrar(self) -> None:
        if not self._cerrada:
            self._cerrada = True
            await self._broker.retirar((self._id, self._dueno))

    async def _hacer(self, funcion: Callable[..., Any], *argumentos: Any) -> Any:
        return await self._broker.hacer(funcion, self._id, self._dueno, *argumentos)


class LectorEmbebido:
    """Una lectura efímera del log: su posición sólo está en memoria."""

    def __init__(self, broker: BrokerEmbebido, coincide: Callable[[str], bool], pos: int) -> None:
        self._broker = broker
        self._coincide = coincide
        self._pos = pos
        self._cerrado = False

    async def recibir(self, maximo: int) -> list[Mensaje]:
        while not (self._cerrado or self._broker.cerrado):
            cambio = self._broker.cambio()
            try:
                self._pos, mensajes = await self._broker.hacer(Almacen.leer, self._coincide, self._pos, maximo)
            except BrokerCerrado:
                break
            if mensajes:
                return mensajes
            await _esperar(cambio, _REVISION_S)
        return []

    async def cerrar(self) -> None:
        self._cerrado = True
        self._broker.avisar()


class LetrasMuertasEmbebidas:
    """Las letras muertas del archivo."""

    def __init__(self, broker: BrokerEmbebido) -> None:
        self._broker = broker

    async def listar(self, suscripcion: str | None = None, *, maximo: int = 100) -> list[LetraMuerta]:
        return await self._broker.hacer(Almacen.letras, suscripcion, None, maximo)

    async def ver(self, id: str) -> LetraMuerta | None:
        encontradas = await self._broker.hacer(Almacen.letras, None, id, 1)
        return encontradas[0] if encontradas else None

    async def reenviar(self, id: str) -> bool:
        hecho = await self._broker.hacer(Almacen.reenviar, id)
        self._broker.avisar()
        return hecho

    async def descartar(self, id: str) -> bool:
        return await self._broker.hacer(Almacen.descartar, id)


def _version(db: apsw.Connection) -> object:
    try:
        return db.execute("PRAGMA data_version").fetchone()
    except apsw.Error as error:
        return repr(error)  # tampoco esto debe cegar al vigía: un fallo que aparece o se va también es un cambio


async def _esperar(cambio: asyncio.Event, maximo_s: float) -> None:
    try:
        async with asyncio.timeout(maximo_s):
            await cambio.wait()
    except TimeoutError:
        pass
