"""Los carriles que atiende un consumidor: tomarlos, cederlos a quien tiene menos, y soltarlos."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Protocol

import structlog

from seedwork.infraestructura.brokers import BrokerCerrado, BrokerNoDisponible, ErrorBroker
from seedwork.infraestructura.brokers.pulsar.cerrojos import Cerrojos
from seedwork.infraestructura.brokers.pulsar.reparto import CESION_S, Reparto

_log = structlog.get_logger(__name__)

_TICTAC_S = CESION_S  # cada cuánto se prueba un carril ajeno, por si quien lo tenía ha muerto
_ENTRADA_S = 3.0  # lo que espera a su parte quien entra; si no, le irá llegando
_ESPERA_S = 0.1
_GRACIA_S = 3.0


class Consumo(Protocol):
    """Lo que se hace con un carril propio."""

    async def abrir_carril(self, carril: int) -> None: ...

    async def cerrar_carril(self, carril: int) -> None:
        """Deja de dar lo suyo, espera a que respondan por lo dado, y lo cierra."""
        ...

    def en_mano(self, carril: int) -> int: ...


class Carriles:
    """Los de una suscripción que le tocan al consumidor `yo`.

    Antes de abrir un carril se tiene su cerrojo, y se quita después de cerrarlo: nadie lo abre mientras tanto. Quien
    reconecta tras una caída puede encontrarlo tomado: al leer que es de otro, lo suelta.
    """

    def __init__(
        self,
        yo: str,
        cuantos: int,
        cerrojos: Cerrojos,
        reparto: Reparto,
        anotar: Callable[[dict[str, Any]], Awaitable[None]],
        consumo: Consumo,
    ) -> None:
        self._yo = yo
        self._todos = range(cuantos)
        self._cerrojos = cerrojos
        self._reparto = reparto
        self._anotar_en_el_estado = anotar
        self._consumo = consumo
        self._mios: dict[int, bool] = {}  # si ya lo atiendo
        self._mudanzas: dict[int, asyncio.Task[None]] = {}
        self._anotando = asyncio.Lock()
        self._novedad = asyncio.Event()
        self._en_su_sitio = asyncio.Event()
        self._sin_sondear_hasta_s = 0.0
        self._fallo: ErrorBroker | None = None
        self._tarea: asyncio.Task[None] | None = None

    async def entrar(self) -> None:
        """Vuelve con su parte, o con lo que haya podido tomar en unos segundos; lanza lo que no tenga remedio."""
        self._novedad.set()
        self._tarea = asyncio.create_task(self._atender())
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENTRADA_S):
                await self._en_su_sitio.wait()
        if self._fallo is not None:
            raise self._fallo

    def revisar(self) -> None:
        """Algo cambió: lo anotado, o qué cerrojos se tienen."""
        self._novedad.set()

    async def parar(self) -> None:
        tareas = [tarea for tarea in (self._tarea, *self._mudanzas.values()) if tarea is not None]
        for tarea in tareas:
            tarea.cancel()
        await asyncio.gather(*tareas, return_exceptions=True)

    # --- decidir ----------------------------------------------------------------------------------------------------

    async def _atender(self) -> None:
        while True:
            tictac = False
            try:
                async with asyncio.timeout(_TICTAC_S):
                    await self._novedad.wait()
            except TimeoutError:
                tictac = True
            self._novedad.clear()
            try:
                await self._ajustar(tictac=tictac)
            except BrokerCerrado:
                return
            except ErrorBroker as error:
                _log.warning("broker.sin_reparto", error=str(error))  # se repite enseguida
                await asyncio.sleep(_ESPERA_S)

    async def _ajustar(self, *, tictac: bool) -> None:
        await self._defender()
        self._ceder()
        await self._tomar(tictac=tictac)
        if all(self._mios.values()) and self._reparto.asentado(len(self._todos), len(self._mios)):
            self._en_su_sitio.set()

    async def _defender(self) -> None:
        """Lo que otro dice que es suyo lo es, si aquí se perdió el cerrojo; si no, se le dice."""
        disputados = [carril for carril in self._mios if self._reparto.dueno(carril) not in (None, self._yo)]
        if disputados:
            await self._cerrojos.comprobar()
        for carril in [carril for carril in disputados if not self._cerrojos.tiene(carril)]:
            if carril in self._mudanzas:
                self._mudanzas[carril].cancel()
            self._dejar(carril)
        sueltos = [carril for carril in self._mios if not self._cerrojos.tiene(carril)]
        if sueltos:  # si el broker se cayó, los demás también los están echando otra vez
            self._sin_sondear_hasta_s = time.monotonic() + _GRACIA_S
        for carril in sueltos:
            await self._cerrojos.echar(carril)
        if any(carril in self._mios for carril in disputados) and self._reparto.consto():
            await self._anotar()

    # --- ceder ------------------------------------------------------------------------------------------------------

    def _ceder(self) -> None:
        cesion = self._reparto.cesion()
        if cesion is None or self._mudanzas:
            return
        a_quien, cuantos = cesion
        for carril in sorted(self._mios, key=self._consumo.en_mano)[:cuantos]:
            self._dejar(carril, a_quien)

    def _dejar(self, carril: int, a_quien: str | None = None) -> None:
        del self._mios[carril]
        self._mudar(carril, self._soltar(carril, a_quien))

    async def _soltar(self, carril: int, a_quien: str | None = None) -> None:
        await self._consumo.cerrar_carril(carril)
        await self._cerrojos.quitar(carril)
        await self._anotar(cede={} if a_quien is None else {carril: a_quien})

    # --- tomar ------------------------------------------------------------------------------------------------------

    async def _tomar(self, *, tictac: bool) -> None:
        ajenos = [carril for carril in self._todos if carril not in self._mios and carril not in self._mudanzas]
        # Quien llega los prueba todos: los de quien murió no constan libres.
        intentar = self._reparto.libres(ajenos) if self._reparto.consto() else ajenos
        if tictac and ajenos and not intentar and time.monotonic() > self._sin_sondear_hasta_s:
            intentar = [random.choice(ajenos)]  # noqa: S311 - sólo reparte las pruebas
        obtenidos = await asyncio.gather(*(self._cerrojos.echar(carril) for carril in intentar))
        tomados = [carril for carril, mio in zip(intentar, obtenidos, strict=True) if mio]
        if not tomados and self._reparto.consto():
            return
        ausentes = self._reparto.ausentes(tomados)
        self._mios |= dict.fromkeys(tomados, False)
        try:
            await self._anotar(ausentes)
        except BaseException:
            for carril in tomados:
                del self._mios[carril]
            self._cerrojos.cerrar()
            raise
        for carril in tomados:
            self._mudar(carril, self._abrir(carril))

    async def _abrir(self, carril: int) -> None:
        while True:
            try:
                await self._consumo.abrir_carril(carril)
                break
            except BrokerCerrado:
                return
            except ErrorBroker as error:
                # Quien lo atendía puede no haberlo cerrado todavía, si perdió el cerrojo sin saberlo.
                _log.warning("broker.carril_sin_abrir", carril=carril, error=str(error))
                if not isinstance(error, BrokerNoDisponible):
                    self._fallo = error
                    self._en_su_sitio.set()
                await asyncio.sleep(_ESPERA_S)
        self._mios[carril] = True
        self._novedad.set()
        if all(self._mios.values()):
            await self._anotar()

    # --- anotar -----------------------------------------------------------------------------------------------------

    def _mudar(self, carril: int, mudanza: Coroutine[Any, Any, None]) -> None:
        tarea = self._mudanzas[carril] = asyncio.create_task(mudanza)
        tarea.add_done_callback(lambda hecha: self._mudado(carril, hecha))

    def _mudado(self, carril: int, tarea: asyncio.Task[None]) -> None:
        if self._mudanzas.get(carril) is tarea:
            del self._mudanzas[carril]
        if not tarea.cancelled() and (error := tarea.exception()) is not None:
            _log.warning("broker.carril_a_medias", carril=carril, error=str(error))
        self._novedad.set()

    async def _anotar(self, ausentes: Iterable[str] = (), cede: dict[int, str] | None = None) -> None:
        async with self._anotando:
            carriles = {**dict.fromkeys(ausentes), self._yo: dict(self._mios)}
            await self._anotar_en_el_estado({"carriles": carriles, "cede": cede or {}})
