"""Un terminal de verdad (pty) con una orden en primer plano, como la corre una persona desde su shell."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.procesos import hasta

# Hace de shell: la orden en su propio grupo, en primer plano del terminal, y su pid escrito en un archivo.
SHELL = """
import fcntl, os, signal, subprocess, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
hijo = subprocess.Popen(sys.argv[2:], process_group=0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
os.tcsetpgrp(0, hijo.pid)
with open(sys.argv[1], "w") as archivo:
    archivo.write(str(hijo.pid))
codigo = hijo.wait()
sys.exit(codigo if codigo >= 0 else 128 - codigo)
"""
CTRL_C = b"\x03"


def existe(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Terminal:
    """Lo que corre en un terminal y lo que ha escrito en él."""

    def __init__(self, proceso: subprocess.Popen[bytes], maestro: int) -> None:
        self.proceso = proceso
        self._maestro = maestro
        self._leido = b""

    def teclear(self, teclas: bytes) -> None:
        os.write(self._maestro, teclas)

    @property
    def texto(self) -> str:
        # macOS y Linux responden distinto cuando ya no queda nadie al otro lado: fin de archivo o error.
        with contextlib.suppress(OSError):
            while select.select([self._maestro], [], [], 0)[0] and (trozo := os.read(self._maestro, 65536)):
                self._leido += trozo
        return self._leido.decode(errors="replace")

    def esperar_texto(self, texto: str, plazo_s: float) -> str:
        hasta(lambda: texto in self.texto or self.proceso.poll() is not None, f"se leyera {texto!r}", plazo_s)
        assert texto in self.texto, self.texto
        return self.texto

    def codigo(self, plazo_s: float) -> int:
        """El código de salida. Se sigue leyendo entretanto: un terminal que nadie lee frena a quien escribe."""
        hasta(lambda: (self.texto, self.proceso.poll())[1] is not None, f"acabara; se leyó {self.texto}", plazo_s)
        return self.proceso.returncode

    def descendientes(self) -> dict[int, str]:
        """Pid y orden de cada proceso que nació de aquí y vive."""
        salida = subprocess.run(["ps", "-axo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
        filas = [(int(pid), int(padre), orden) for pid, padre, orden in (f.split(None, 2) for f in salida.splitlines())]
        vistos: dict[int, str] = {}
        generacion = {self.proceso.pid}
        while generacion:
            hijos = {pid: orden for pid, padre, orden in filas if padre in generacion}
            vistos |= hijos
            generacion = set(hijos)
        return vistos


@contextmanager
def en_terminal(orden: Sequence[str], entorno: Mapping[str, str], carpeta: Path) -> Iterator[Terminal]:
    """La orden corriendo en un terminal nuevo; al salir se cierra, que es colgarle a quien siga vivo."""
    maestro, esclavo = pty.openpty()
    proceso = subprocess.Popen(
        [sys.executable, "-c", SHELL, os.devnull, *orden], cwd=carpeta, env={**os.environ, **entorno},
        stdin=esclavo, stdout=esclavo, stderr=esclavo,
    )  # fmt: skip
    os.close(esclavo)
    try:
        yield Terminal(proceso, maestro)
    finally:
        os.close(maestro)
        if proceso.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                proceso.wait(10)
            proceso.kill()
        proceso.wait(10)
