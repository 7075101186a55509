"""La petición de parar: Ctrl-C, SIGTERM o el cierre del terminal."""

import signal
from collections.abc import Callable
from types import FrameType

SENALES = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Parada:
    """Desde que se crea, una señal de parada ya no mata a este proceso: queda anotada en `pedida`.

    Las siguientes no cambian nada, salvo para `al_recibir`, que recibe todas, también la última de las ya anotadas.
    """

    def __init__(self) -> None:
        self.pedida: signal.Signals | None = None
        self._al_recibir: Callable[[signal.Signals], None] | None = None
        for senal in SENALES:
            signal.signal(senal, self._anotar)

    def al_recibir(self, hacer: Callable[[signal.Signals], None]) -> None:
        self._al_recibir = hacer
        if self.pedida:
            hacer(self.pedida)

    def _anotar(self, senal: int, _marco: FrameType | None) -> None:
        self.pedida = signal.Signals(senal)
        if self._al_recibir:
            self._al_recibir(self.pedida)
