"""Un proceso que sobrevive a quien lo lanzó y que sólo se para si es, con certeza, el que se lanzó.

El proceso hereda, abierto, un archivo con el cerrojo tomado: mientras él o un hijo suyo vivan el cerrojo sigue
tomado, y muere con ellos. El pid está escrito dentro.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import IO

from tests.servidores.base import NoDisponible, Orden
from tests.servidores.cerrojo import PASO_S, tomado, tomar

_REGISTRO_MAXIMO = 20 * 1024 * 1024
_PLAZO_KILL_S = 10.0
# El guion anota su propio pid, que al hacer `exec` es el del servidor, por la entrada (el archivo del cerrojo).
_GUION = 'echo $$ >&0; exec "$@" </dev/null'


class Proceso:
    def __init__(self, carpeta: Path, nombre: str) -> None:
        self.nombre = nombre
        self.registro = carpeta / f"{nombre}.log"
        self._sello = carpeta / f"{nombre}.pid"

    def pid(self) -> int | None:
        """El pid si el proceso vive; `None` si murió, aunque su archivo siga ahí."""
        if not tomado(self._sello):
            return None
        texto = self._sello.read_text().strip()
        return int(texto) if texto else None

    def vive(self) -> bool:
        return tomado(self._sello)

    def lanzar(self, orden: Orden) -> None:
        """Lo deja corriendo. Si no llega ni a ejecutarse, `vive` lo dice enseguida y su registro dice por qué."""
        descriptor = os.open(self._sello, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            tomar(descriptor, plazo_s=5.0)
            os.ftruncate(descriptor, 0)
            with self._abrir_registro() as registro:
                hijo = self._lanzar(orden, descriptor, registro.fileno())
        finally:
            os.close(descriptor)
        # Alguien ha de recogerlo si muere antes que quien lo lanzó.
        threading.Thread(target=hijo.wait, daemon=True).start()

    def parar(self, senal: signal.Signals, plazo_s: float) -> None:
        """Lo para con `senal` y, si en `plazo_s` no acabó, lo mata. `NoDisponible` si ni así."""
        if (pid := self.pid()) is not None and self._sigue_siendo(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, senal)
        if self._espera_el_fin(plazo_s):
            return
        if (pid := self.pid()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        if not self._espera_el_fin(_PLAZO_KILL_S):
            raise NoDisponible(f"el proceso {self.nombre} ({self.pid()}) no acaba ni con SIGKILL.")

    def cola_del_registro(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return self.registro.read_text(errors="replace")[-1500:].strip()
        return ""

    def _lanzar(self, orden: Orden, descriptor: int, salida: int) -> subprocess.Popen[bytes]:
        como_root = os.geteuid() == 0 and orden.usuario is not None
        return subprocess.Popen(
            ["/bin/sh", "-c", _GUION, orden.nombre, *orden.argumentos],
            cwd=orden.carpeta,
            env={**os.environ, **orden.entorno},
            stdin=descriptor,
            stdout=salida,
            stderr=subprocess.STDOUT,
            pass_fds=(descriptor,),
            start_new_session=True,
            user=orden.usuario if como_root else None,
            group=orden.usuario if como_root else None,
            extra_groups=[] if como_root else None,
        )

    def _abrir_registro(self) -> IO[bytes]:
        grande = self.registro.exists() and self.registro.stat().st_size > _REGISTRO_MAXIMO
        return self.registro.open("wb" if grande else "ab")

    def _sigue_siendo(self, pid: int) -> bool:
        # Cada uno abre sesión propia: un pid reutilizado por otro programa casi nunca es jefe de la suya.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            return os.getsid(pid) == pid
        return False

    def _espera_el_fin(self, plazo_s: float) -> bool:
        limite = time.monotonic() + plazo_s
        while self.vive():
            if time.monotonic() > limite:
                return False
            time.sleep(PASO_S)
        return True
