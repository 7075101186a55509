"""Un consumidor dentro de una suscripción de Redis."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import structlog

from seedwork.infraestructura.brokers import BrokerCerrado, Entrega, ErrorBroker
from seedwork.infraestructura.brokers.redis import guiones
from seedwork.infraestructura.brokers.redis.formato import leer_lote
from seedwork.infraestructura.brokers.redis.topicos import Topicos

if TYPE_CHECKING:
    from seedwork.infraestructura.brokers.redis.broker import BrokerRedis

_log = structlog.get_logger(__name__)

VIDA_S = 10.0  # sin latido en este tiempo, lo que tenía un consumidor pasa a otro
REVISION_S = 1.0  # aunque nadie avise: consumidores muertos, avisos perdidos y publicaciones ajenas
_PAUSA_S = 0.001


@dataclass(frozen=True, slots=True)
class _Lote:
    entregas: list[Entrega]
    repetir: bool
    espera_s: float


def escrito(suscripcion: str) -> str:
    """El nombre como va en las claves: sin separadores que lo confundan con otro."""
    return quote(suscripcion, safe="")


class SuscripcionRedis:
    """Toma en lotes, respondiendo por cada uno en un viaje. Lo que no se le haya respondido pasa a otro si muere."""

    def __init__(self, broker: BrokerRedis, nombre: str, topicos: Topicos) -> None:
        self.nombre = escrito(nombre)
        self.dueno = uuid.uuid4().hex
        self._broker = broker
        self._conexion = broker.conexion
        self._topicos = topicos
        self._turno = asyncio.Lock()
        self._en_mano: set[bytes] = set()
        self._ficha = 0
        self._dudosa = False
        self._cerrada = False
        self._abandonadas: list[asyncio.Task[_Lote]] = []
        self._vueltas: set[asyncio.Task[None]] = set()

    # --- tomar ------------------------------------------------------------------------------------------------------

    async def recibir(self, maximo: int, excepto: Collection[str] = ()) -> list[Entrega]:
        while not (self._cerrada or self._conexion.cerrada):
            self._topicos.dormir()
            lote = await self._tomar(maximo, excepto)
            if lote.entregas:
                return lote.entregas
            if not lote.repetir:
                await self._topicos.esperar(lote.espera_s)
        return []

    async def _tomar(self, maximo: int, excepto: Collection[str]) -> _Lote:
        tarea = asyncio.create_task(self._pedir(maximo, excepto))
        try:
            return await asyncio.shield(tarea)
        except asyncio.CancelledError:
            self._abandonadas.append(tarea)
            vuelta = asyncio.create_task(self._devolver_lo_de(tarea))
            self._vueltas.add(vuelta)
            vuelta.add_done_callback(self._vueltas.discard)
            await asyncio.shield(vuelta)
            raise

    async def _devolver_lo_de(self, tarea: asyncio.Task[_Lote]) -> None:
        await asyncio.wait([tarea])
        async with self._turno:
            await self._devolver_lo_abandonado()

    async def _devolver_lo_abandonado(self) -> None:
        """Lo que se tomó para quien ya no espera vuelve antes de tomar nada más: si no, lo siguiente lo adelantaría."""
        for tarea in [tarea for tarea in self._abandonadas if tarea.done()]:
            self._abandonadas.remove(tarea)
            if tarea.cancelled() or tarea.exception() is not None:
                continue
            entregas = tarea.result().entregas
            try:
                await self.devolver(entregas)
            except ErrorBroker as error:
                self._en_mano.difference_update(_referencias(entregas))  # al conciliar quedarán libres
                self._dudosa = True
                _log.warning("broker.devolucion_aplazada", suscripcion=self.nombre, error=str(error))

    async def _pedir(self, maximo: int, excepto: Collection[str]) -> _Lote:
        async with self._turno:
            if self._cerrada:
                return _Lote([], False, 0)
            try:
                await self._devolver_lo_abandonado()
                return await self._pedir_en_turno(maximo, excepto)
            except BrokerCerrado:
                return _Lote([], False, 0)
            except BaseException:
                self._dudosa = True
                raise

    async def _pedir_en_turno(self, maximo: int, excepto: Collection[str]) -> _Lote:
        if self._dudosa:
            await self._conciliar()
        topicos = self._topicos
        hay_mas, cambio, espera_ms, perdidas, numeros, textos = await self._conexion.correr(
            guiones.TOMAR,
            self.nombre,
            self.dueno,
            self._ficha,
            max(1, maximo),
            int(VIDA_S * 1000),
            topicos.conocidos,
            len(excepto),
            *excepto,
            *topicos.nombres,
        )
        entregas = [
            Entrega(mensaje, intentos, sospechosa, ref)
            for ref, intentos, sospechosa, mensaje in leer_lote(numeros, textos)
        ]
        self._en_mano.update(entrega.referencia for entrega in entregas)
        if perdidas:
            _log.error("broker.mensajes_borrados", suscripcion=self.nombre, cuantos=perdidas)
        if cambio:
            await self._refrescar()
        espera_s = REVISION_S if espera_ms < 0 else max(_PAUSA_S, min(REVISION_S, espera_ms / 1000 + _PAUSA_S))
        return _Lote(entregas, bool(hay_mas or cambio), espera_s)

    async def _refrescar(self) -> None:
        try:
            await self._topicos.refrescar()
        except ErrorBroker as error:
            _log.warning("broker.topicos_sin_refrescar", error=str(error))  # lo tomado ya es nuestro; se verá luego

    async def _conciliar(self) -> None:
        """Tras un fallo no se sabe si la petición llegó: se fija qué tenemos, y lo demás queda libre."""
        self._ficha += 1
        await self._hacer(guiones.CONCILIAR, self._ficha, *self._en_mano)
        await self._topicos.refrescar()
        self._dudosa = False

    # --- responder --------------------------------------------------------------------------------------------------

    async def confirmar(self, entregas: Sequence[Entrega]) -> None:
        refs = _referencias(entregas)
        if refs:
            await self._hacer(guiones.CONFIRMAR, *refs)
            self._en_mano.difference_update(refs)

    async def iniciar(self, entrega: Entrega) -> int:
        intentos = await self._hacer(guiones.INICIAR, entrega.referencia)
        return entrega.intentos + 1 if intentos is None else int(intentos)

    async def reintentar(self, entrega: Entrega, espera_s: float) -> None:
        espera_ms = max(0, int(espera_s * 1000))
        await self._hacer(guiones.REINTENTAR, entrega.referencia, entrega.intentos + 1, espera_ms)
        self._en_mano.discard(entrega.referencia)

    async def desechar(self, entrega: Entrega, motivo: str) -> None:
        texto = motivo.encode(errors="backslashreplace")
        await self._hacer(guiones.DESECHAR, entrega.referencia, texto, entrega.intentos)
        self._en_mano.discard(entrega.referencia)

    async def devolver(self, entregas: Sequence[Entrega]) -> None:
        if entregas:
            await self._hacer(guiones.DEVOLVER, *(x for e in entregas for x in (e.referencia, e.intentos)))
            self._en_mano.difference_update(_referencias(entregas))

    async def cerrar(self) -> None:
        if self._cerrada:
            return
        self._cerrada = True
        self._topicos.despertar()
        self._broker.olvidar(self)
        if not self._conexion.cerrada:
            async with self._turno:  # lo que se esté tomando también se devuelve
                await self._hacer(guiones.DESPEDIR)

    # --- avisos -----------------------------------------------------------------------------------------------------

    def le_toca(self, topicos: Collection[str], suscripciones: Collection[str], *, nuevos: bool) -> bool:
        return self.nombre in suscripciones or self._topicos.casa(topicos, nuevos=nuevos)

    def despertar(self) -> None:
        self._topicos.despertar()

    async def _hacer(self, guion: guiones.Guion, *argumentos: str | bytes | int) -> Any:
        return await self._conexion.correr(guion, self.nombre, self.dueno, *argumentos)


def _referencias(entregas: Sequence[Entrega]) -> list[bytes]:
    return list(dict.fromkeys(entrega.referencia for entrega in entregas))
