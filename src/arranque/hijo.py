"""Un proceso de la suite ya en marcha: su grupo, su salida y si está listo."""

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Mapping
from datetime import datetime

from honcho.printer import Message

from arranque.suite import Proceso

LARGO_LINEA = 64 * 1024
PAUSA_LISTO_S = 0.2


class Hijo:
    """Corre `proceso` en una sesión suya, para que el Ctrl-C del terminal llegue sólo al lanzador.

    Cada línea que escribe queda en `lineas`; si nadie la vacía, el proceso acaba esperando y la memoria no crece.
    Lanza `OSError` si no se puede ejecutar.
    """

    def __init__(
        self, proceso: Proceso, *, color: str, lineas: "queue.Queue[Message]", entorno: Mapping[str, str]
    ) -> None:
        self.nombre = proceso.nombre
        self.listo = threading.Event()
        self._proceso = proceso
        self._color = color
        self._lineas = lineas
        self._rematado = False
        self._popen = subprocess.Popen(  # noqa: S603  (la orden es de la tabla de procesos, sin shell)
            proceso.orden,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=entorno,
            start_new_session=True,
        )
        self._lector = threading.Thread(target=self._leer, daemon=True)
        self._lector.start()
        threading.Thread(target=self._preguntar, daemon=True).start()

    def revisar(self) -> int | None:
        """Código de salida, o None si sigue vivo. Si acaba de morir, mata lo que hubiera dejado en su grupo."""
        codigo = self._popen.poll()
        if codigo is not None and not self._rematado:
            self._rematado = True
            self._a_su_grupo(signal.SIGKILL)
        return codigo

    @property
    def callado(self) -> bool:
        """Si ya no va a escribir nada más."""
        return not self._lector.is_alive()

    def terminar(self) -> None:
        """Le pide que pare (SIGTERM), a él y a su grupo."""
        if self.revisar() is None:
            self._a_su_grupo(signal.SIGTERM)

    def matar(self) -> None:
        """Lo para sin pedirlo (SIGKILL), con su grupo."""
        if self.revisar() is None:
            self._a_su_grupo(signal.SIGKILL)

    def _a_su_grupo(self, senal: signal.Signals) -> None:
        # macOS responde «no permitido», y no «no existe», cuando en el grupo sólo queda un proceso ya muerto.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, senal)

    def _leer(self) -> None:
        assert self._popen.stdout is not None  # noqa: S101  (se abrió con PIPE; sólo lo sabe así mypy)
        with self._popen.stdout as salida:
            while trozo := salida.readline(LARGO_LINEA):
                self._lineas.put(Message("line", trozo, datetime.now().astimezone(), self.nombre, self._color))

    def _preguntar(self) -> None:
        pausa = threading.Event()
        while self._popen.returncode is None:
            if self._proceso.listo(self._popen.pid):
                self.listo.set()
                return
            pausa.wait(PAUSA_LISTO_S)
