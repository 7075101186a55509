"""Arranca los procesos de una suite, los vigila y los detiene todos juntos.

De honcho se toma lo que se ve (el log con un color por proceso) y no su `Manager`: éste no mata a nadie
si ningún proceso atiende a SIGTERM, y falla si la señal llega mientras está arrancando.
"""

import os
import queue
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TextIO

from honcho.colour import get_colours
from honcho.printer import Message, Printer

from arranque.hijo import Hijo
from arranque.parada import Parada
from arranque.suite import Suite

VOZ_PROPIA = "suite"
LINEAS_EN_ESPERA = 1000
PULSO_S = 0.1
ULTIMAS_LINEAS_S = 1.0


class Supervisor:
    """Una corrida de `suite`. `correr` dura lo que dura la suite y no deja proceso alguno detrás."""

    def __init__(self, suite: Suite, *, entorno: Mapping[str, str], parada: Parada, salida: TextIO) -> None:
        self._suite = suite
        self._parada = parada
        self._entorno = {**entorno, "PYTHONUNBUFFERED": "1"}
        self._salida = salida
        ancho = max(len(nombre) for nombre in (VOZ_PROPIA, *(proceso.nombre for proceso in suite.procesos)))
        self._impresor = Printer(salida, width=ancho)
        self._lineas: queue.Queue[Message] = queue.Queue(maxsize=LINEAS_EN_ESPERA)
        self._hijos: list[Hijo] = []
        self._sin_lector = False

    def correr(self) -> int:
        """Código de salida: 0 si se pidió parar; 1 si un proceso no arrancó, no estuvo listo a tiempo o murió solo."""
        try:
            motivo = self._arrancar() or self._vigilar()
        finally:
            self._detener()
        self._decir(f"Suite detenida: {motivo}." if motivo else "Suite detenida.")
        return 1 if motivo else 0

    def _arrancar(self) -> str | None:
        """El motivo por el que no se pudo, si no se pudo."""
        self._decir("Arrancando " + ", ".join(proceso.nombre for proceso in self._suite.procesos) + ".")
        for proceso, color in zip(self._suite.procesos, get_colours(), strict=False):
            if self._parada.pedida:
                break
            try:
                self._hijos.append(Hijo(proceso, color=color, lineas=self._lineas, entorno=self._entorno))
            except OSError as error:
                return f"{proceso.nombre} no se pudo ejecutar ({error.strerror}: {proceso.orden[0]})"
        return None

    def _vigilar(self) -> str | None:
        """Hasta que se pida parar (None) o algo falle (el motivo)."""
        limite = time.monotonic() + self._suite.plazo_listo_s
        anunciado = False
        while not self._parada.pedida:
            self._copiar_lineas(PULSO_S)
            if self._sin_lector:
                return "ya nadie lee lo que escribe"
            for hijo in self._hijos:
                if (codigo := hijo.revisar()) is not None:
                    return f"{hijo.nombre} terminó por su cuenta, {_como_acabo(codigo)}"
            faltan = [hijo.nombre for hijo in self._hijos if not hijo.listo.is_set()]
            if faltan and time.monotonic() > limite:
                return f"no estuvo listo en {self._suite.plazo_listo_s:g} s: {', '.join(faltan)}"
            if not faltan and not anunciado:
                anunciado = True
                self._decir(self._suite.anuncio)
        return None

    def _detener(self) -> None:
        self._decir("Deteniendo la suite.")
        for hijo in self._hijos:
            hijo.terminar()
        self._esperar(self._suite.gracia_s, lambda hijo: hijo.revisar() is not None)
        for hijo in self._hijos:
            if hijo.revisar() is None:
                self._decir(f"{hijo.nombre} no paró en {self._suite.gracia_s:g} s: se le obliga.")
                hijo.matar()
        self._esperar(ULTIMAS_LINEAS_S, lambda hijo: hijo.revisar() is not None and hijo.callado)

    def _esperar(self, plazo_s: float, cumplen: Callable[[Hijo], bool]) -> None:
        limite = time.monotonic() + plazo_s
        while time.monotonic() < limite and not all(cumplen(hijo) for hijo in self._hijos):
            self._copiar_lineas(PULSO_S)
        self._copiar_lineas(0)

    def _copiar_lineas(self, espera_s: float) -> None:
        """Escribe lo pendiente; si no hay nada, espera a lo sumo `espera_s` a que lo haya."""
        try:
            self._escribir(self._lineas.get(timeout=espera_s) if espera_s else self._lineas.get_nowait())
            for _ in range(LINEAS_EN_ESPERA):
                self._escribir(self._lineas.get_nowait())
        except queue.Empty:
            return

    def _decir(self, frase: str) -> None:
        self._escribir(Message("line", frase, datetime.now().astimezone(), VOZ_PROPIA, None))

    def _escribir(self, linea: Message) -> None:
        if self._sin_lector:
            return
        try:
            self._impresor.write(linea)
        except OSError:
            # Se cerró el terminal o la tubería: sin esto, Python volvería a fallar al vaciar la salida cuando acabe.
            self._sin_lector = True
            nada = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nada, self._salida.fileno())
            os.close(nada)


def _como_acabo(codigo: int) -> str:
    return f"con código {codigo}" if codigo >= 0 else f"por la señal {-codigo}"
