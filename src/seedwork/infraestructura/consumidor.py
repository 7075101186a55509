"""El motor de consumo: carriles por clave, prefetch acotado, acuses en lote, fallos con política y cierre ordenado."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from seedwork.infraestructura.brokers import BrokerNoDisponible, Entrega, Mensaje, Suscripcion
from seedwork.infraestructura.declaracion import Consumidor
from seedwork.infraestructura.politica import DE_INFRAESTRUCTURA, PERMANENTES

T = TypeVar("T")
_log = structlog.get_logger(__name__)

_ESPERA_INFRA_MAXIMA_S = 5.0
_LOTE_ACUSE = 500


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
        self._tareas: set[asyncio.Task[None]] = set()
        self._turno = asyncio.Semaphore(consumidor.concurrencia)
        self._a_solas = asyncio.Lock()
        self._hechas: list[Entrega] = []
        self._hay_hechas = asyncio.Event()
        self._hay_cupo = asyncio.Event()
        self._en_mano = 0
        self._parando = asyncio.Event()
        self._terminado = False
        self._fatal: BaseException | None = None
        self._log = _log.bind(suscripcion=consumidor.suscripcion)

    async def correr(self) -> None:
        """Consume hasta que alguien llame a `parar`; si el broker no está, espera y sigue.

        Al terminar cierra la suscripción. Lanza lo que el broker lance que no sea `BrokerNoDisponible`.
        """
        acusador = asyncio.create_task(self._acusar())
        try:
            await self._tomar()
        finally:
            await self._devolver_lo_no_empezado()
            await asyncio.gather(*self._tareas, return_exceptions=True)
            self._parando.set()
            self._terminado = True
            self._hay_hechas.set()
            await acusador
            await self._insistir(self._suscripcion.cerrar)
        if self._fatal is not None:
            raise self._fatal

    def parar(self) -> None:
        """Deja de tomar; lo empezado se termina y se confirma, lo demás se devuelve."""
        self._parando.set()

    async def _tomar(self) -> None:
        parando = asyncio.create_task(self._parando.wait())
        try:
            while not self._parando.is_set():
                while self._en_mano >= self._consumidor.prefetch and not self._parando.is_set():
                    self._hay_cupo.clear()
                    await _primero(asyncio.create_task(self._hay_cupo.wait()), parando)
                recibir = asyncio.create_task(self._recibir())
                await _primero(recibir, parando)
                if not recibir.done():
                    recibir.cancel()
                    await asyncio.gather(recibir, return_exceptions=True)
                elif (entregas := recibir.result()) is None:
                    return
                else:
                    for entrega in entregas:
                        self._repartir(entrega)
        finally:
            parando.cancel()

    async def _recibir(self) -> list[Entrega] | None:
        fallos = 0
        while True:
            try:
                return await self._suscripcion.recibir(self._consumidor.prefetch - self._en_mano) or None
            except BrokerNoDisponible as error:
                fallos += 1
                self._log.warning("consumo.broker_no_disponible", error=str(error), fallos=fallos)
                await asyncio.sleep(_espera_infra(fallos))

    def _repartir(self, entrega: Entrega) -> None:
        self._en_mano += 1
        clave = entrega.mensaje.clave
        if clave is None:
            self._lanzar(self._atender(entrega))
        elif (carril := self._carriles.get(clave)) is not None:
            carril.append(entrega)
        else:
            self._carriles[clave] = deque([entrega])
            self._lanzar(self._recorrer(clave))

    def _lanzar(self, corrutina: Awaitable[None]) -> None:
        tarea = asyncio.ensure_future(corrutina)
        self._tareas.add(tarea)
        tarea.add_done_callback(self._al_terminar)

    def _al_terminar(self, tarea: asyncio.Task[None]) -> None:
        self._tareas.discard(tarea)
        if not tarea.cancelled() and (error := tarea.exception()) is not None:
            self._fatal = error
            self._parando.set()

    async def _recorrer(self, clave: str) -> None:
        carril = self._carriles[clave]
        while carril and not self._parando.is_set():
            await self._atender(carril.popleft())
        if not carril:
            del self._carriles[clave]

    async def _atender(self, entrega: Entrega) -> None:
        if entrega.sospechosa:
            async with self._a_solas:
                await self._intentar(entrega)
        else:
            await self._intentar(entrega)

    async def _intentar(self, entrega: Entrega) -> None:
        """Atiende hasta responder por la entrega; con orden estricto espera aquí, reteniendo su clave."""
        contar, contado = entrega.sospechosa, False
        fallos_infra = 0
        while True:
            async with self._turno:
                if self._parando.is_set():
                    await self._devolver([entrega])
                    return
                try:
                    if contar:
                        entrega = await self._contar(entrega)
                        contar, contado = False, True
                        if self._consumidor.reintentos.agotados(entrega.intentos - 1):
                            await self._desechar(entrega, "El proceso murió cada vez que lo atendía")
                            return
                    await self._procesar(entrega.mensaje)
                except DE_INFRAESTRUCTURA as error:
                    fallos_infra += 1
                    espera_s = _espera_infra(fallos_infra)
                    self._log.warning("consumo.infraestructura", error=str(error), espera_s=round(espera_s, 2))
                except self._permanentes as error:
                    await self._desechar(entrega, _frase(error))
                    return
                except Exception as error:  # noqa: BLE001 - lo que falle en un handler se responde según la política
                    fallo = await self._fallo(entrega, error, contado=contado)
                    if fallo is None:
                        return
                    entrega, espera_s = fallo
                    contar, contado, fallos_infra = True, False, 0
                else:
                    self._hecha(entrega)
                    return
            await self._esperar(espera_s)

    async def _fallo(self, entrega: Entrega, error: Exception, *, contado: bool) -> tuple[Entrega, float] | None:
        """Responde a un fallo del handler; la entrega y su espera si hay que volver a intentarla aquí."""
        politica = self._consumidor.reintentos
        fallidos = entrega.intentos + (0 if contado else 1)
        previa = entrega if not contado else _con_intentos(entrega, entrega.intentos - 1)
        self._log.warning(
            "consumo.fallo",
            id=entrega.mensaje.cabeceras.get("id"),
            intento=fallidos,
            error=_frase(error),
            exc_info=error,
        )
        if politica.agotados(fallidos):
            await self._desechar(_con_intentos(entrega, fallidos), _frase(error))
            return None
        espera_s = politica.espera_tras(fallidos)
        if self._consumidor.orden == "relajado" or entrega.mensaje.clave is None:
            await self._insistir(lambda: self._suscripcion.reintentar(previa, espera_s))
            self._soltar(1)
            return None
        if not contado:
            entrega = await self._contar(entrega)
        return entrega, espera_s

    async def _contar(self, entrega: Entrega) -> Entrega:
        intentos = await self._insistir(lambda: self._suscripcion.iniciar(entrega))
        return entrega if intentos is None else _con_intentos(entrega, intentos)

    async def _esperar(self, espera_s: float) -> None:
        try:
            async with asyncio.timeout(espera_s):
                await self._parando.wait()
        except TimeoutError:
            pass

    def _hecha(self, entrega: Entrega) -> None:
        self._hechas.append(entrega)
        self._hay_hechas.set()

    async def _acusar(self) -> None:
        while not (self._terminado and not self._hechas):
            await self._hay_hechas.wait()
            self._hay_hechas.clear()
            while self._hechas:
                lote, self._hechas = self._hechas[:_LOTE_ACUSE], self._hechas[_LOTE_ACUSE:]
                await self._insistir(lambda lote=lote: self._suscripcion.confirmar(lote))  # type: ignore[misc]
                self._soltar(len(lote))

    async def _desechar(self, entrega: Entrega, motivo: str) -> None:
        self._log.error(
            "consumo.letra_muerta",
            id=entrega.mensaje.cabeceras.get("id"),
            topico=entrega.mensaje.topico,
            motivo=motivo,
            intentos=entrega.intentos,
        )
        await self._insistir(lambda: self._suscripcion.desechar(entrega, motivo))
        self._soltar(1)

    async def _devolver(self, entregas: list[Entrega]) -> None:
        await self._insistir(lambda: self._suscripcion.devolver(entregas))
        self._soltar(len(entregas))

    async def _devolver_lo_no_empezado(self) -> None:
        pendientes = [entrega for carril in self._carriles.values() for entrega in carril]
        for carril in self._carriles.values():
            carril.clear()
        if pendientes:
            await self._devolver(pendientes)

    async def _insistir(self, respuesta: Callable[[], Awaitable[T]]) -> T | None:
        """Le dice algo al broker hasta que lo oiga; None si se está parando y no contesta: la entrega se repetirá."""
        fallos = 0
        while True:
            try:
                return await respuesta()
            except BrokerNoDisponible as error:
                fallos += 1
                self._log.warning("consumo.sin_respuesta", error=str(error), fallos=fallos)
                if self._parando.is_set():
                    return None
                await self._esperar(_espera_infra(fallos))

    def _soltar(self, cuantas: int) -> None:
        self._en_mano -= cuantas
        self._hay_cupo.set()


def _con_intentos(entrega: Entrega, intentos: int) -> Entrega:
    return Entrega(entrega.mensaje, intentos, entrega.sospechosa, entrega.referencia)


def _espera_infra(fallos: int) -> float:
    return min(_ESPERA_INFRA_MAXIMA_S, 0.1 * 2.0 ** min(fallos, 10)) * random.uniform(0.5, 1)  # noqa: S311 - jitter


def _frase(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


async def _primero(*tareas: asyncio.Task[object]) -> None:
    await asyncio.wait(tareas, return_when=asyncio.FIRST_COMPLETED)
