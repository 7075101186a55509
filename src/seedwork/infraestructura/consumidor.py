"""El motor de consumo: carriles por clave, prefetch acotado, acuses en lote, fallos con política y cierre ordenado."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import structlog

from seedwork.infraestructura.brokers import BrokerNoDisponible, Entrega, Mensaje, Suscripcion
from seedwork.infraestructura.declaracion import Consumidor
from seedwork.infraestructura.esquemas import EsquemaDesconocido
from seedwork.infraestructura.politica import ESPERA_DE_ESQUEMA, PERMANENTES, es_de_infraestructura

T = TypeVar("T")
_log = structlog.get_logger(__name__)

_ESPERA_INFRA_MAXIMA_S = 5.0
_INSISTENCIA_AL_PARAR = 3
_BYTES_EN_MANO = 16 * 1024 * 1024  # al pasarlos no se toma más, aunque quepa por número


class MotorConsumo:
    """Atiende una suscripción: toma, reparte por clave, llama al procesador y responde al broker por cada mensaje.

    Lo de una clave se atiende de uno en uno y en orden; claves distintas, hasta `concurrencia` a la vez. Un mensaje
    cuyo consumidor anterior murió con él en las manos se atiende a solas y con su intento contado antes de empezar:
    el que mata al proceso acaba en las letras muertas, y sus vecinos no.
    """

    def __init__(
        self, suscripcion: Suscripcion, consumidor: Consumidor, procesar: Callable[[Mensaje], Awaitable[None]]
    ) -> None:
        self._suscripcion = suscripcion
        self._consumidor = consumidor
        self._procesar = procesar
        self._permanentes = PERMANENTES + consumidor.permanentes
        self._carriles: dict[str, deque[Entrega]] = {}
        self._retenidas: set[str] = set()
        self._tareas: set[asyncio.Task[None]] = set()
        self._turno = asyncio.Semaphore(consumidor.concurrencia)
        self._a_solas = asyncio.Lock()
        self._hechas: list[Entrega] = []
        self._hay_hechas = asyncio.Event()
        self._hay_cupo = asyncio.Event()
        self._volver_a_pedir = asyncio.Event()
        self._en_mano = 0
        self._bytes_en_mano = 0
        self._parando = asyncio.Event()
        self._terminado = False
        self._fatal: BaseException | None = None
        self._log = _log.bind(suscripcion=consumidor.suscripcion)

    async def correr(self) -> None:
        """Consume hasta que alguien llame a `parar`; si el broker no está, espera y sigue.

        Al terminar cierra la suscripción. Lanza lo que el broker lance que no sea `BrokerNoDisponible`. Si la cancelan,
        cancela lo que esté en curso, que volverá a entregarse.
        """
        acusador = asyncio.create_task(self._acusar())
        acusador.add_done_callback(self._al_terminar)
        try:
            await self._tomar()
            await self._devolver_lo_no_empezado()
            while self._tareas:
                await asyncio.wait(self._tareas)
        finally:
            self.parar()
            for tarea in self._tareas:
                tarea.cancel()
            await asyncio.gather(*self._tareas, return_exceptions=True)
            self._terminado = True
            self._hay_hechas.set()
            await asyncio.gather(acusador, return_exceptions=True)
            await self._insistir(self._suscripcion.cerrar)
        if self._fatal is not None:
            raise self._fatal

    def parar(self) -> None:
        """Deja de tomar; lo empezado se termina y se confirma, lo demás se devuelve."""
        self._parando.set()
        self._hay_cupo.set()
        self._volver_a_pedir.set()

    # --- tomar y repartir -------------------------------------------------------------------------------------------

    async def _tomar(self) -> None:
        while not self._parando.is_set():
            if self._en_mano >= self._consumidor.prefetch or self._bytes_en_mano >= _BYTES_EN_MANO:
                self._hay_cupo.clear()
                await self._hay_cupo.wait()
                continue
            try:
                entregas = await self._pedir()
            except Exception as error:  # noqa: BLE001 - se lanza desde `correr`, tras terminar lo que está en curso
                self._fallar(error)
                return
            if entregas is None:
                return
            await self._repartir(entregas)

    async def _pedir(self) -> Sequence[Entrega] | None:
        """Lo que haya; nada si entretanto pararon o se soltó una clave retenida; None si la suscripción se cerró."""
        self._volver_a_pedir.clear()
        if self._parando.is_set():
            return ()
        recibir = asyncio.create_task(self._recibir(frozenset(self._retenidas)))
        aviso = asyncio.create_task(self._volver_a_pedir.wait())
        try:
            await asyncio.wait([recibir, aviso], return_when=asyncio.FIRST_COMPLETED)
        finally:
            recibir.cancel()
            aviso.cancel()
            await asyncio.wait([recibir, aviso])
        return () if recibir.cancelled() else recibir.result()

    async def _recibir(self, excepto: frozenset[str]) -> list[Entrega] | None:
        fallos = 0
        while True:
            try:
                return await self._suscripcion.recibir(self._consumidor.prefetch - self._en_mano, excepto) or None
            except BrokerNoDisponible as error:
                fallos += 1
                self._log.warning("consumo.broker_no_disponible", error=str(error), fallos=fallos)
                await asyncio.sleep(_espera_infra(fallos))

    async def _repartir(self, entregas: Sequence[Entrega]) -> None:
        self._en_mano += len(entregas)
        self._bytes_en_mano += _bytes(entregas)
        # Se pidió antes de retenerla: vuelve al broker, que la dará en orden cuando se suelte.
        tarde = [entrega for entrega in entregas if entrega.mensaje.clave in self._retenidas]
        for entrega in entregas:
            clave = entrega.mensaje.clave
            if clave is None:
                self._lanzar(self._intentar(entrega))
            elif clave in self._retenidas:
                continue
            elif (carril := self._carriles.get(clave)) is not None:
                carril.append(entrega)
            else:
                self._carriles[clave] = deque([entrega])
                self._lanzar(self._recorrer(clave))
        if tarde:
            await self._devolver(tarde)

    def _lanzar(self, corrutina: Coroutine[Any, Any, None]) -> None:
        tarea = asyncio.create_task(corrutina)
        self._tareas.add(tarea)
        tarea.add_done_callback(self._al_terminar)

    def _al_terminar(self, tarea: asyncio.Task[None]) -> None:
        self._tareas.discard(tarea)
        if not tarea.cancelled() and (error := tarea.exception()) is not None:
            self._fallar(error)

    def _fallar(self, error: BaseException) -> None:
        self._fatal = self._fatal or error
        self.parar()

    async def _recorrer(self, clave: str) -> None:
        carril = self._carriles[clave]
        while carril and not self._parando.is_set():
            await self._intentar(carril.popleft())
        if not carril:
            del self._carriles[clave]

    @asynccontextmanager
    async def _ocupar(self, entrega: Entrega) -> AsyncIterator[None]:
        """Un turno; todos si es sospechosa: si vuelve a matar al proceso, que no se lleve a nadie más."""
        if not entrega.sospechosa:
            async with self._turno:
                yield
            return
        async with AsyncExitStack() as pila:
            async with self._a_solas:
                for _ in range(self._consumidor.concurrencia):
                    await pila.enter_async_context(self._turno)
            yield

    # --- atender ----------------------------------------------------------------------------------------------------

    async def _intentar(self, entrega: Entrega) -> None:
        """Atiende hasta responder por la entrega; con orden estricto espera aquí, reteniendo su clave.

        `entrega.intentos` son siempre los que ya fallaron; `contado`, si el broker ya contó el que está en curso.
        """
        contar, contado = entrega.sospechosa, False
        fallos_infra = 0
        if entrega.sospechosa and self._consumidor.reintentos.agotados(entrega.intentos):
            await self._desechar(entrega, "El proceso murió mientras lo atendía, y no le quedan intentos")
            return
        while True:
            async with self._ocupar(entrega):
                if contar and not contado and not self._parando.is_set():
                    entrega, contado = await self._contar(entrega)
                if self._parando.is_set():
                    await self._devolver([entrega])
                    return
                try:
                    await self._llamar(entrega.mensaje)
                except Exception as error:  # noqa: BLE001 - lo que falle en un handler se responde según la política
                    fallo = error
                else:
                    self._hechas.append(entrega)
                    self._hay_hechas.set()
                    return
                if es_de_infraestructura(fallo):
                    fallos_infra += 1
                    espera_s = _espera_infra(fallos_infra)
                    self._log.warning("consumo.infraestructura", error=str(fallo), espera_s=round(espera_s, 2))
                else:
                    siguiente = await self._tras_fallo(entrega, fallo, contado=contado)
                    if siguiente is None:
                        return
                    entrega, espera_s = siguiente
                    contar, contado, fallos_infra = True, False, 0
            if contar and not contado:
                await self._retener(entrega, espera_s)
            else:
                await self._esperar(espera_s)

    async def _llamar(self, mensaje: Mensaje) -> None:
        try:
            await self._procesar(mensaje)
        except asyncio.CancelledError as error:
            tarea = asyncio.current_task()
            if tarea is not None and tarea.cancelling():
                raise
            raise RuntimeError("El handler se canceló a sí mismo") from error

    async def _tras_fallo(self, entrega: Entrega, error: Exception, *, contado: bool) -> tuple[Entrega, float] | None:
        """Responde a un fallo del handler; la entrega y su espera si hay que volver a intentarla aquí."""
        fallida = _con_intentos(entrega, entrega.intentos + 1)
        if isinstance(error, self._permanentes):
            await self._desechar(fallida, _frase(error))
            return None
        de_esquema = isinstance(error, EsquemaDesconocido)
        if not isinstance(error, self._consumidor.esperados):
            self._log.warning(
                "consumo.fallo",
                id=entrega.mensaje.cabeceras.get("id"),
                intento=fallida.intentos,
                error=_frase(error),
                exc_info=None if de_esquema else error,
            )
        politica = ESPERA_DE_ESQUEMA if de_esquema else self._consumidor.reintentos
        if politica.agotados(fallida.intentos):
            await self._desechar(fallida, _frase(error))
            return None
        espera_s = politica.espera_tras(fallida.intentos)
        if self._consumidor.orden == "relajado" or entrega.mensaje.clave is None:
            await self._insistir(lambda: self._suscripcion.reintentar(entrega, espera_s))
            self._soltar([entrega])
            return None
        if not contado:
            await self._contar(entrega)
        return fallida, espera_s

    async def _contar(self, entrega: Entrega) -> tuple[Entrega, bool]:
        """Cuenta el intento que empieza; la entrega con los que ya fallaron según el broker, y si se pudo contar."""
        intentos = await self._insistir(lambda: self._suscripcion.iniciar(entrega))
        return (entrega, False) if intentos is None else (_con_intentos(entrega, intentos - 1), True)

    async def _retener(self, entrega: Entrega, espera_s: float) -> None:
        """Espera sin que pase nada de su clave; lo que va detrás vuelve al broker, y no quita el sitio a otras."""
        clave = entrega.mensaje.clave
        assert clave is not None  # noqa: S101 - lo que no tiene clave se reintenta en el broker
        self._retenidas.add(clave)
        try:
            detras = list(self._carriles[clave])
            self._carriles[clave].clear()
            await self._devolver(detras)
            await self._esperar(espera_s)
        finally:
            self._retenidas.discard(clave)
            self._volver_a_pedir.set()

    async def _esperar(self, espera_s: float) -> None:
        try:
            async with asyncio.timeout(espera_s):
                await self._parando.wait()
        except TimeoutError:
            pass

    # --- responder --------------------------------------------------------------------------------------------------

    async def _acusar(self) -> None:
        while not (self._terminado and not self._hechas):
            await self._hay_hechas.wait()
            self._hay_hechas.clear()
            if self._hechas:
                lote, self._hechas = self._hechas, []
                await self._insistir(lambda lote=lote: self._suscripcion.confirmar(lote))  # type: ignore[misc]
                self._soltar(lote)

    async def _desechar(self, entrega: Entrega, motivo: str) -> None:
        self._log.error(
            "consumo.letra_muerta",
            id=entrega.mensaje.cabeceras.get("id"),
            topico=entrega.mensaje.topico,
            motivo=motivo,
            intentos=entrega.intentos,
        )
        await self._insistir(lambda: self._suscripcion.desechar(entrega, motivo))
        self._soltar([entrega])

    async def _devolver(self, entregas: Sequence[Entrega]) -> None:
        await self._insistir(lambda: self._suscripcion.devolver(entregas))
        self._soltar(entregas)

    async def _devolver_lo_no_empezado(self) -> None:
        pendientes = [entrega for carril in self._carriles.values() for entrega in carril]
        for carril in self._carriles.values():
            carril.clear()
        await self._devolver(pendientes)

    async def _insistir(self, respuesta: Callable[[], Awaitable[T]]) -> T | None:
        """Le dice algo al broker hasta que lo oiga; None si se está parando y no contesta: la entrega se repetirá."""
        fallos = ya_parando = 0
        while True:
            try:
                return await respuesta()
            except BrokerNoDisponible as error:
                fallos += 1
                self._log.warning("consumo.sin_respuesta", error=str(error), fallos=fallos)
            if self._parando.is_set():
                ya_parando += 1
                if ya_parando == _INSISTENCIA_AL_PARAR:
                    return None
                await asyncio.sleep(_espera_infra(0))
            else:
                await self._esperar(_espera_infra(fallos))

    def _soltar(self, entregas: Sequence[Entrega]) -> None:
        self._en_mano -= len(entregas)
        self._bytes_en_mano -= _bytes(entregas)
        self._hay_cupo.set()


def _con_intentos(entrega: Entrega, intentos: int) -> Entrega:
    return Entrega(entrega.mensaje, intentos, entrega.sospechosa, entrega.referencia)


def _bytes(entregas: Sequence[Entrega]) -> int:
    return sum(len(entrega.mensaje.cuerpo) for entrega in entregas)


def _espera_infra(fallos: int) -> float:
    return min(_ESPERA_INFRA_MAXIMA_S, 0.1 * 2.0 ** min(fallos, 10)) * random.uniform(0.5, 1)  # noqa: S311 - jitter


def _frase(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
