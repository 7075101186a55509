"""Procesos de verdad para las pruebas: arrancarlos, esperar a que atiendan, pararlos o matarlos, y no dejar ninguno."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

RAIZ = Path(__file__).parents[1]
PLAZO_S = 60.0
# Lo que el entorno de quien corre las pruebas no debe decidir por ellas.
_AJENAS = (
    "DATABASE_URL", "BROKER_URL", "PULSAR_ADDRESS", "BROKER_HOST", "KAFKA_BOOTSTRAP_SERVERS", "RABBITMQ_URL",
    "REDIS_URL", "AEROALPES_DATOS", "AEROALPES_TRABAJADOR", "FLASK_DEBUG", "FLASK_RUN_PORT", "FLASK_RUN_HOST",
    "PYTHONDONTWRITEBYTECODE",  # cada proceso volvería a compilar todas sus bibliotecas
)  # fmt: skip


def puerto_libre() -> int:
    with socket.socket() as prueba:
        prueba.bind(("127.0.0.1", 0))
        return int(prueba.getsockname()[1])


def hasta(condicion: Callable[[], Any], que: str, plazo_s: float = PLAZO_S) -> Any:
    """Espera a que `condicion` dé algo cierto, y lo devuelve; si no llega, la prueba falla diciendo qué faltó."""
    limite = time.monotonic() + plazo_s
    while not (valor := condicion()):
        assert time.monotonic() < limite, f"pasaron {plazo_s} s sin que {que}"
        time.sleep(0.02)
    return valor


def congelar(pid: int) -> None:
    """SIGSTOP, y vuelve cuando se detuvieron todos sus hilos: en una máquina ocupada, alguno sigue un rato."""
    os.kill(pid, signal.SIGSTOP)
    hasta(lambda: set(_estados(pid)) == {"T"}, f"se detuviera {pid}")


def _estados(pid: int) -> list[str]:
    if hilos := list(Path(f"/proc/{pid}/task").glob("*/stat")):
        return [hilo.read_text().rpartition(")")[2].split()[0] for hilo in hilos]
    return [subprocess.check_output(["ps", "-o", "state=", "-p", str(pid)], text=True)[:1]]


class Proceso:
    """Un proceso en su propio grupo, con la salida en un archivo."""

    def __init__(self, orden: Sequence[str], entorno: Mapping[str, str], salida: Path, carpeta: Path) -> None:
        self._archivo = salida
        limpio = {nombre: valor for nombre, valor in os.environ.items() if nombre not in _AJENAS}
        with salida.open("ab") as destino:
            self.popen = subprocess.Popen(
                orden,
                cwd=carpeta,
                env={**limpio, "PYTHONUNBUFFERED": "1", **entorno},
                stdin=subprocess.DEVNULL,
                stdout=destino,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def salida(self) -> str:
        return self._archivo.read_text(encoding="utf-8", errors="replace")

    def espera_texto(self, texto: str, veces: int = 1) -> None:
        hasta(lambda: self.salida.count(texto) >= veces, f"se leyera {texto!r}; se leyó: {self.salida}")

    def parar(self, senal: signal.Signals = signal.SIGTERM, plazo_s: float = 10.0) -> int:
        """Su código de salida, que debe llegar en `plazo_s`."""
        self.popen.send_signal(senal)
        return self.popen.wait(plazo_s)

    def ctrl_c(self, plazo_s: float = 10.0) -> int:
        """Como lo hace un terminal: SIGINT a todo el grupo."""
        os.killpg(self.popen.pid, signal.SIGINT)
        return self.popen.wait(plazo_s)

    def termina(self, plazo_s: float = PLAZO_S) -> int:
        return self.popen.wait(plazo_s)

    def matar(self) -> None:
        """kill -9 a todo su grupo; no hace nada si ya no está."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(PLAZO_S)

    def queda_alguien(self) -> bool:
        """Si en su grupo vive todavía algún proceso."""
        try:
            os.killpg(self.popen.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # en macOS, un grupo del que sólo quedan zombis
            return False
        return True


class Api(Proceso):
    """El API en un puerto libre."""

    def __init__(self, orden: Sequence[str], entorno: Mapping[str, str], salida: Path, carpeta: Path, puerto: int):
        super().__init__(orden, entorno, salida, carpeta)
        self.url = f"http://127.0.0.1:{puerto}"
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def espera_lista(self) -> None:
        def lista() -> bool:
            assert self.popen.poll() is None, self.salida
            try:
                return self.http.get("/readyz").status_code == 200
            except httpx.TransportError:
                return False

        hasta(lista, "el API estuviera listo")

    def cerrar(self) -> None:
        self.http.close()
        self.matar()


class Aeroalpes:
    """Los procesos de AeroAlpes sobre una carpeta de datos."""

    def __init__(self, datos: Path) -> None:
        self.datos = datos
        self._procesos: list[Proceso] = []

    def api(self, *opciones: str, espera: bool = True, carpeta: Path = RAIZ, **variables: str) -> Api:
        """`flask run` con valores embebidos; `opciones` van antes de `run`."""
        puerto = puerto_libre()
        orden = [sys.executable, "-W", "error", "-m", "flask", "--app", str(RAIZ / "src/aeroalpes/api")]
        api = self._api([*orden, *opciones, "run", "--port", str(puerto)], puerto, variables, carpeta)
        if espera:
            api.espera_lista()
        return api

    def gunicorn(self, trabajadores: int, **variables: str) -> Api:
        puerto = puerto_libre()
        orden = [sys.executable, "-m", "gunicorn", "--chdir", "src", "-w", str(trabajadores), "--threads", "4"]
        api = self._api([*orden, "-b", f"127.0.0.1:{puerto}", "aeroalpes.api:create_app()"], puerto, variables, RAIZ)
        api.espera_lista()
        return api

    def python(self, *argumentos: str, carpeta: Path = RAIZ, **variables: str) -> Proceso:
        """`python ARGUMENTOS` con el entorno de AeroAlpes."""
        proceso = Proceso(
            [sys.executable, "-W", "error", *argumentos], self._entorno(variables), self._salida(), carpeta
        )
        self._procesos.append(proceso)
        return proceso

    def trabajador(self, **variables: str) -> Proceso:
        """El trabajador aparte, listo."""
        proceso = self.python("src/aeroalpes/main.py", **variables)
        proceso.espera_texto("trabajador.listo")
        return proceso

    def cerrar(self) -> None:
        for proceso in self._procesos:
            proceso.cerrar() if isinstance(proceso, Api) else proceso.matar()

    def _api(self, orden: Sequence[str], puerto: int, variables: Mapping[str, str], carpeta: Path) -> Api:
        api = Api(orden, self._entorno(variables), self._salida(), carpeta, puerto)
        self._procesos.append(api)
        return api

    def _entorno(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {"AEROALPES_DATOS": str(self.datos), **variables}

    def _salida(self) -> Path:
        self.datos.mkdir(parents=True, exist_ok=True)
        return self.datos / f"salida-{len(self._procesos)}.txt"


@contextlib.contextmanager
def aeroalpes(datos: Path) -> Iterator[Aeroalpes]:
    """AeroAlpes sobre `datos`; al salir no queda ninguno de sus procesos."""
    suite = Aeroalpes(datos)
    try:
        yield suite
    finally:
        suite.cerrar()
