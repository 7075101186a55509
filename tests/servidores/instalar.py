"""Lo que hay que tener instalado: programas de Debian (por apt, si se es root) y archivos de Maven Central."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.servidores.base import NoDisponible, Requisito
from tests.servidores.cerrojo import turno

JAVA_MINIMO = 17
_POLITICA = Path("/usr/sbin/policy-rc.d")
# Los que traen los paquetes que aquí se instalan, con su programa. Los que ya estaban en la máquina no se tocan.
_SERVICIOS = {
    "postgresql": "postgres",
    "redis-server": "redis-server",
    "rabbitmq-server": "rabbitmq-server",
    "epmd": "epmd",
}
_UNIDADES = ("/etc/init.d", "/lib/systemd/system", "/etc/systemd/system")
_PLAZO_RED_S = 900
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"


def buscar(programa: str, *carpetas: str) -> Path | None:
    """El programa, en las carpetas dadas (con comodines, la última versión primero) o en el PATH."""
    for patron in (*carpetas, *os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", "/opt/homebrew/sbin"):
        absoluto = Path(patron or ".").absolute()
        for carpeta in sorted(Path(absoluto.anchor).glob(str(absoluto.relative_to(absoluto.anchor))), reverse=True):
            candidato = carpeta / programa
            if candidato.is_file() and os.access(candidato, os.X_OK):
                return candidato
    return None


@dataclass(frozen=True)
class Java:
    programa: Path
    casa: Path


@cache
def _java() -> Java | None:
    for carpeta in (
        f"{os.environ.get('JAVA_HOME', '/no')}/bin",
        "/usr/lib/jvm/*/bin",
        "/opt/homebrew/opt/openjdk*/bin",
    ):
        programa = buscar("java", carpeta)
        if programa is None:
            continue
        # En macOS `java` existe sin que haya Java, y lo dice con su código de salida.
        dicho = subprocess.run(
            [str(programa), "-XshowSettings:properties", "-version"], capture_output=True, text=True, check=False
        ).stderr
        casa = re.search(r"java\.home = (.+)", dicho)
        version = re.search(r"java\.specification\.version = (\d+)$", dicho, re.MULTILINE)
        if casa and version and int(version[1]) >= JAVA_MINIMO:
            return Java(programa, Path(casa[1].strip()))
    return None


def java() -> Java:
    hallado = _java()
    if hallado is None:
        raise NoDisponible(f"no hay Java {JAVA_MINIMO} o posterior.")
    return hallado


def faltan_de_java(descarga: Descarga) -> list[Requisito]:
    """Java siempre; Maven, sólo mientras no esté descargado lo que con él se descarga."""
    faltan = [] if _java() else [Requisito(f"Java {JAVA_MINIMO}", "openjdk-17-jre-headless", "openjdk@17")]
    if not descarga.carpeta.exists() and not buscar("mvn"):
        faltan.append(Requisito("Maven", "maven", "maven"))
    return faltan


def se_puede() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def instalar(requisitos: Sequence[Requisito]) -> str:
    """Instala los paquetes de una vez, sin que dejen servicios en marcha. Devuelve por qué no pudo, o nada."""
    paquetes = sorted({requisito.debian for requisito in requisitos})
    entorno = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    nuevos = [servicio for servicio in _SERVICIOS if not _existe(servicio)]
    with _sin_arrancar(nuevos):
        for orden in (["update"], ["install", "-y", "--no-install-recommends", *paquetes]):
            motivo = _fallo(["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *orden], Path("/"), entorno)
    _java.cache_clear()
    if shutil.which("systemctl"):
        for servicio in filter(_existe, nuevos):
            subprocess.run(["systemctl", "disable", servicio], capture_output=True, check=False)
    return motivo


def _existe(servicio: str) -> bool:
    return buscar(_SERVICIOS[servicio], "/usr/lib/postgresql/*/bin") is not None


@contextlib.contextmanager
def _sin_arrancar(nuevos: Sequence[str]) -> Iterator[None]:
    """Mientras dura, Debian sólo arranca los servicios que ya había: ni los `nuevos` ni los que vengan con ellos.

    Si la máquina ya tiene su política, esa manda.
    """
    if _POLITICA.exists():
        yield
        return
    archivos = [archivo.name for carpeta in _UNIDADES for archivo in Path(carpeta).glob("*")]
    habia = {nombre for archivo in archivos for nombre in (archivo, archivo.partition(".")[0])}
    habia -= {nombre for servicio in nuevos for nombre in (servicio, f"{servicio}.service", f"{servicio}.socket")}
    permitidos = "|".join(shlex.quote(nombre) for nombre in sorted(habia)) or "ninguno"
    _POLITICA.write_text(f'#!/bin/sh\ncase "$1" in {permitidos}) exit 0;; esac\nexit 101\n')
    _POLITICA.chmod(0o755)
    try:
        yield
    finally:
        _POLITICA.unlink(missing_ok=True)


@dataclass(frozen=True)
class Descarga:
    """Algo de Maven Central que se descarga una vez por cuenta de usuario, fuera del árbol del proyecto."""

    nombre: str
    traer: Callable[[Path], None]

    @property
    def carpeta(self) -> Path:
        raiz = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(raiz) / "aeroalpes" / self.nombre

    def obtener(self) -> Path:
        """La carpeta con lo descargado, entero: si un intento murió a medias no cuenta."""
        if self.carpeta.exists():
            return self.carpeta
        self.carpeta.parent.mkdir(parents=True, exist_ok=True)
        # De uno en uno: el repositorio local de Maven no admite dos a la vez.
        with turno(self.carpeta.parent / "maven.turno", plazo_s=_PLAZO_RED_S):
            if not self.carpeta.exists():
                with tempfile.TemporaryDirectory(dir=self.carpeta.parent, prefix="a-medias-") as borrador:
                    obra = Path(borrador) / "obra"
                    obra.mkdir()
                    self.traer(obra)
                    obra.rename(self.carpeta)
        return self.carpeta


def dependencias(pom: str) -> Callable[[Path], None]:
    """Los jars de las dependencias de un pom."""

    def traer(destino: Path) -> None:
        with tempfile.TemporaryDirectory() as taller:
            (Path(taller) / "pom.xml").write_text(pom)
            _maven(Path(taller), "copy-dependencies", f"-DoutputDirectory={destino}")

    return traer


def archivo_tar(artefacto: str) -> Callable[[Path], None]:
    """El contenido de un artefacto tar.gz, sin su primera carpeta."""

    def traer(destino: Path) -> None:
        with tempfile.TemporaryDirectory(dir=destino.parent) as taller:
            _maven(Path(taller), "copy", f"-Dartifact={artefacto}", f"-DoutputDirectory={taller}")
            (archivo,) = Path(taller).glob("*.tar.gz")
            if fallo := _fallo(["tar", "xzf", str(archivo), "-C", str(destino), "--strip-components=1"], destino):
                raise NoDisponible(f"no se pudo desempaquetar {archivo.name}: {fallo}")

    return traer


def _maven(carpeta: Path, meta: str, *opciones: str) -> None:
    orden = [str(buscar("mvn")), "-q", "-B", "-C", f"{_PLUGIN}:{meta}", *opciones]
    if fallo := _fallo(orden, carpeta, {**os.environ, "JAVA_HOME": str(java().casa)}):
        raise NoDisponible(f"Maven no pudo descargarlo: {fallo}")


def _fallo(orden: Sequence[str], carpeta: Path, entorno: Mapping[str, str] | None = None) -> str:
    """Por qué falló, con lo primero que dijo; vacío si fue bien."""
    try:
        hecho = subprocess.run(
            orden, cwd=carpeta, env=entorno, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", check=False, timeout=_PLAZO_RED_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"tardaba más de {_PLAZO_RED_S} s"
    return (hecho.stdout.strip()[:600] or f"código {hecho.returncode}") if hecho.returncode else ""
