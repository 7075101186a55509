"""Una `Mensajeria` en un hilo con su propio event loop, para servidores síncronos como Flask."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

import structlog

from seedwork.infraestructura.mensajeria import GRACIA_S, Mensajeria
from seedwork.infraestructura.publicador import FueraDeMarcha

T = TypeVar("T")
_log = structlog.get_logger(__name__)


class MensajeriaEnHilo:
    """Arranca al crearse y para en orden con `parar`, que también se llama al salir el intérprete."""

    def __init__(self, mensajeria: Mensajeria) -> None:
        self._mensajeria = mensajeria
        self._loop = asyncio.new_event_loop()
        self._hilo = threading.Thread(target=self._correr, name="mensajeria", daemon=True)
        self.error: BaseException | None = None
        self._hilo.start()
        # Un `atexit` corriente llega tarde: para entonces los hilos de trabajo ya no aceptan nada.
        threading._register_atexit(self.parar)  # type: ignore[attr-defined]

    def pedir(self, funcion: Callable[[], Coroutine[Any, Any, T]], plazo_s: float) -> T:
        """Corre `funcion` en el event loop de la mensajería y espera su resultado; `TimeoutError` si tarda más."""
        if not self._hilo.is_alive():
            raise self._parada()
        futuro = asyncio.run_coroutine_threadsafe(funcion(), self._loop)
        try:
            return futuro.result(plazo_s)
        except CancelledError:
            self._hilo.join(1)  # se estaba parando: en cuanto acabe dirá por qué
            raise self._parada() from None
        except TimeoutError:
            futuro.cancel()
            raise

    def _parada(self) -> FueraDeMarcha:
        return FueraDeMarcha(str(self.error or "se paró"))

    @property
    def mensajeria(self) -> Mensajeria:
        """La que corre dentro; se usa desde su event loop, con `pedir`."""
        return self._mensajeria

    async def comprobar(self) -> None:
        """Vuelve si el broker responde."""
        await self._mensajeria.broker.comprobar()

    def parar(self) -> None:
        """Termina o devuelve lo tomado y espera al hilo; llamarlo dos veces no hace nada más."""
        limite = time.monotonic() + GRACIA_S + 1
        while self._hilo.is_alive() and time.monotonic() < limite:
            self._mensajeria.pedir_parada()  # se repite: mientras arranca todavía no hay a quién pedírselo
            self._hilo.join(0.1)

    def _correr(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._mensajeria.servir())
            except BaseException as error:  # noqa: BLE001 - un hilo no tiene a quién lanzarle: queda dicho y /readyz lo cuenta
                self.error = error
                _log.exception("mensajeria.murio")
