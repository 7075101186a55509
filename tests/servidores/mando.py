"""Arrancar, parar y mirar un servidor: lo común a todos."""

from __future__ import annotations

import os
import shutil
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from pathlib import Path

from tests.servidores import puertos
from tests.servidores.base import NoDisponible, Servidor, Sitio
from tests.servidores.cerrojo import PASO_S, turno
from tests.servidores.kafka import Kafka
from tests.servidores.postgres import Postgres
from tests.servidores.proceso import Proceso
from tests.servidores.pulsar import Pulsar
from tests.servidores.rabbitmq import RabbitMQ
from tests.servidores.redis import Redis

SERVIDORES: Mapping[str, Servidor] = {
    servidor.nombre: servidor for servidor in (Postgres(), Redis(), RabbitMQ(), Kafka(), Pulsar())
}
RAIZ = Path(__file__).parents[2]
PLAZO_ARRANQUE_S = 180.0
_PLAZO_TURNO_S = 300.0
_PERMISOS = 0o755


def raiz_datos() -> Path:
    return Path(os.environ.get("SERVIDORES_DATOS") or RAIZ / "var" / "servidores").resolve()


class Mando:
    """Un servidor en una carpeta de datos. Dos procesos pueden mandar a la vez: se turnan."""

    def __init__(self, servidor: Servidor, raiz: Path) -> None:
        self._servidor = servidor
        self._raiz = raiz
        self._carpeta = raiz / servidor.nombre
        self._anotados = self._carpeta / "puertos.json"

    def arrancar(self) -> None:
        """Vuelve cuando atiende; si ya atendía, enseguida. `NoDisponible` si no llega a atender."""
        with self._turno():
            if not self._ya_atiende():
                self._parar()
                self._arrancar()

    def parar(self, *, borrar: bool) -> bool:
        """Para lo que haya en marcha; con `borrar`, también quita sus datos y sus puertos. Dice si algo vivía."""
        if not self._carpeta.exists():
            return False
        with self._turno():
            vivia = self._parar()
            if borrar:
                shutil.rmtree(self._carpeta)
            return vivia

    def pids(self) -> list[int]:
        """Los de sus procesos, si están todos; vacío si no."""
        if self._sitio() is None:
            return []
        pids = [proceso.pid() for proceso in self._procesos()]
        return [pid for pid in pids if pid] if all(pids) else []

    def urls(self) -> dict[str, str]:
        sitio = self._sitio()
        return self._servidor.urls(sitio) if sitio and self.pids() else {}

    def _arrancar(self) -> None:
        self._carpeta.mkdir(exist_ok=True)
        self._carpeta.chmod(_PERMISOS)
        listo = self._carpeta / "listo"
        if not listo.exists():
            shutil.rmtree(self._carpeta)
            self._carpeta.mkdir(mode=_PERMISOS)
        with turno(self._raiz / "puertos.turno", _PLAZO_TURNO_S):
            sitio = Sitio(self._carpeta, puertos.asignar(self._anotados, self._servidor.puertos))
        if ajenos := puertos.ocupados(sitio.puertos):
            raise NoDisponible(
                f"otro programa ocupa {', '.join(map(str, ajenos))}: libérelo o empiece con otros puertos y sin datos "
                f"(`python -m tests.servidores parar --borrar {self._servidor.nombre}`)."
            )
        if not listo.exists():
            self._servidor.preparar(sitio)
            listo.touch()
        self._lanzar(sitio)

    def _lanzar(self, sitio: Sitio) -> None:
        limite = time.monotonic() + PLAZO_ARRANQUE_S
        lanzados: list[Proceso] = []
        for orden in self._servidor.ordenes(sitio):
            proceso = Proceso(self._carpeta, orden.nombre)
            proceso.lanzar(orden)
            lanzados.append(proceso)
            if orden.puerto is not None:
                self._esperar(partial(_escucha, orden.puerto), lanzados, limite)
        self._esperar(partial(self._atiende, sitio), lanzados, limite)

    def _esperar(self, listo: Callable[[], bool], lanzados: Sequence[Proceso], limite: float) -> None:
        # Quien atiende puede ser otro que tomó el mismo puerto: cuenta si los nuestros siguen vivos.
        while not (listo() and all(proceso.vive() for proceso in lanzados)):
            acabado = next((proceso for proceso in lanzados if not proceso.vive()), None)
            if acabado or time.monotonic() > limite:
                proceso = acabado or lanzados[-1]
                que = "acabó al arrancar" if acabado else f"no atendió en {PLAZO_ARRANQUE_S:.0f} s"
                self._parar()
                raise NoDisponible(f"{proceso.nombre} {que}; en {proceso.registro}:\n{proceso.cola_del_registro()}")
            time.sleep(PASO_S)

    def _ya_atiende(self) -> bool:
        """Si están todos sus procesos y atiende; si están pero aún no, le da su plazo. Lo demás se rehace."""
        limite = time.monotonic() + PLAZO_ARRANQUE_S
        while (sitio := self._sitio()) and self.pids():
            if self._atiende(sitio):
                return True
            if time.monotonic() > limite:
                raise NoDisponible(
                    f"vive ({self.pids()}) pero no atiende; véase {self._carpeta} y, para rehacerlo, "
                    f"`python -m tests.servidores parar {self._servidor.nombre}`."
                )
            time.sleep(PASO_S)
        return False

    def _atiende(self, sitio: Sitio) -> bool:
        try:
            return self._servidor.atiende(sitio)
        # Mientras arranca puede rechazar la conexión, cortarla o contestar a medias.
        except (OSError, ValueError, struct.error, HTTPException):
            return False

    def _parar(self) -> bool:
        vivos = [proceso for proceso in reversed(self._procesos()) if proceso.vive()]
        for proceso in vivos:
            proceso.parar(self._servidor.senal_parada, self._servidor.plazo_parada_s)
        return bool(vivos)

    def _procesos(self) -> list[Proceso]:
        return [Proceso(self._carpeta, nombre) for nombre in self._servidor.procesos]

    def _sitio(self) -> Sitio | None:
        anotados = puertos.leer(self._anotados)
        return Sitio(self._carpeta, anotados) if anotados else None

    @contextmanager
    def _turno(self) -> Iterator[None]:
        self._raiz.mkdir(parents=True, exist_ok=True)
        with turno(self._raiz / f"{self._servidor.nombre}.turno", _PLAZO_TURNO_S):
            yield


def _escucha(puerto: int) -> bool:
    return bool(puertos.ocupados({"": puerto}))


def escribir_urls(raiz: Path) -> dict[str, str]:
    """Deja en `urls.env` las de los servidores en marcha, y las devuelve."""
    urls = urls_en(raiz)
    if raiz.exists():
        with turno(raiz / "urls.turno", _PLAZO_TURNO_S):
            borrador = raiz / "urls.nuevo"
            borrador.write_text("".join(f"{clave}={valor}\n" for clave, valor in urls.items()))
            borrador.replace(raiz / "urls.env")
    return urls


def urls_en(raiz: Path) -> dict[str, str]:
    """Las URLs de los servidores en marcha bajo `raiz`, por variable."""
    return {clave: valor for servidor in SERVIDORES.values() for clave, valor in Mando(servidor, raiz).urls().items()}
