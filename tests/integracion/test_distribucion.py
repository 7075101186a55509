"""El paquete `aeroalpes-seedwork`: se construye, se instala en un entorno limpio y se pone al día, de verdad."""

from __future__ import annotations

import asyncio
import email
import email.message
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections import defaultdict
from pathlib import Path

import pytest
from tests.documentos import RAIZ, bloques

import seedwork
from seedwork import Mensajeria

PLAZO_S = 240
VIEJA = "0.0.1"
pytestmark = pytest.mark.capacidad("B07")


# Lo instalado no debe apoyarse en el árbol desde el que corre esta prueba, ni make en quien la llame.
_AJENAS = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "BROKER_URL", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")


def _limpio() -> dict[str, str]:
    return {nombre: valor for nombre, valor in os.environ.items() if nombre not in _AJENAS}


def _correr(*orden: str | Path, en: Path) -> str:
    hecho = subprocess.run(orden, cwd=en, env=_limpio(), capture_output=True, text=True, timeout=PLAZO_S)
    assert hecho.returncode == 0, hecho.stdout + hecho.stderr
    return hecho.stdout


def _make(objetivo: str, copia: Path, **variables: object) -> None:
    """`make` sobre la copia con el entorno de esta corrida, que se da por puesto al día."""
    datos = [f"{nombre}={valor}" for nombre, valor in {"VENV": sys.prefix, **variables}.items()]
    _correr("make", "-o", f"{sys.prefix}/sello", objetivo, *datos, en=copia)


def _entorno(carpeta: Path) -> Path:
    """Un entorno virtual vacío; devuelve su carpeta de programas."""
    _correr(sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, carpeta, en=carpeta.parent)
    return carpeta / "bin"


def _version(copia: Path, version: str) -> None:
    raiz = copia / "src/seedwork/__init__.py"
    texto = raiz.read_text("utf-8")
    raiz.write_text(texto.replace(f'__version__ = "{seedwork.__version__}"', f'__version__ = "{version}"'), "utf-8")


@pytest.fixture(scope="module")
def copia(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lo que hace falta del árbol para construir, aparte, sin tocar `dist/`."""
    copia = tmp_path_factory.mktemp("arbol")
    for archivo in ("Makefile", "pyproject.toml", "README.md", "README.en.md", "LICENSE"):
        shutil.copy2(RAIZ / archivo, copia)
    sin_compilar = shutil.ignore_patterns("__pycache__")
    shutil.copytree(RAIZ / "src/seedwork", copia / "src/seedwork", ignore=sin_compilar)
    for archivo in ("requirements.txt", "sidecar-requirements.txt"):
        shutil.copy2(RAIZ / archivo, copia)
    return copia


@pytest.fixture(scope="module")
def actualizado(copia: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Lo que dice `seedwork --version` tras instalar una versión vieja, y tras actualizar a la del árbol."""
    bin = _entorno(tmp_path_factory.mktemp("entornos") / "usado")
    dichas = []
    original = (copia / "src/seedwork/__init__.py").read_bytes()
    for objetivo, version in (("instalar", VIEJA), ("actualizar", seedwork.__version__)):
        (copia / "src/seedwork/__init__.py").write_bytes(original)
        _version(copia, version)
        _make(objetivo, copia, DESTINO=bin / "python")
        dichas.append(_correr(bin / "seedwork", "--version", en=copia.parent).strip())
    return dichas


@pytest.fixture(scope="module")
def wheel(copia: Path, actualizado: list[str]) -> Path:
    """El wheel de la versión del árbol, que dejó construido `make actualizar` (que es `make build` y algo más)."""
    return copia / f"dist/aeroalpes_seedwork-{seedwork.__version__}-py3-none-any.whl"


def test_make_instalar_y_actualizar_dejan_la_version_del_arbol(actualizado: list[str]) -> None:
    assert actualizado == [f"seedwork {VIEJA}", f"seedwork {seedwork.__version__}"]


def test_el_wheel_y_el_sdist_llevan_seedwork_y_nada_mas(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archivo:
        nombres = archivo.namelist()
    assert {nombre.partition("/")[0] for nombre in nombres} == {
        "seedwork",
        f"aeroalpes_seedwork-{seedwork.__version__}.dist-info",
    }
    en_el_arbol = {
        str(ruta.relative_to(RAIZ / "src"))
        for ruta in (RAIZ / "src/seedwork").rglob("*")
        if ruta.is_file() and "__pycache__" not in ruta.parts
    }
    assert "seedwork/py.typed" in en_el_arbol <= {*nombres}
    with tarfile.open(wheel.parent / f"aeroalpes_seedwork-{seedwork.__version__}.tar.gz") as sdist:
        sueltos = {nombre.partition("/")[2] for nombre in sdist.getnames()}
    assert {nombre for nombre in sueltos if not nombre.startswith("src/seedwork")} <= {
        ".gitignore", "LICENSE", "PKG-INFO", "README.en.md", "README.md", "pyproject.toml",
    }  # fmt: skip


def _metadatos(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archivo:
        crudos = archivo.read(f"aeroalpes_seedwork-{seedwork.__version__}.dist-info/METADATA")
    return email.message_from_bytes(crudos)


def test_los_metadatos_llevan_la_version_el_readme_y_un_extra_con_todos_los_demas(wheel: Path) -> None:
    metadatos = _metadatos(wheel)
    assert metadatos["Version"] == seedwork.__version__
    assert metadatos["Description-Content-Type"] == "text/markdown"
    cuerpo = metadatos.get_payload(decode=True)
    assert isinstance(cuerpo, bytes)
    assert cuerpo.decode().strip() == (RAIZ / "README.md").read_text("utf-8").strip()
    por_extra: defaultdict[str, set[str]] = defaultdict(set)
    for requisito in metadatos.get_all("Requires-Dist") or []:
        if extra := re.fullmatch(r"(.+); extra == '(\w+)'", requisito):
            por_extra[extra[2]].add(extra[1])
    todo = por_extra.pop("todo")
    assert {*por_extra, "todo"} == {*(metadatos.get_all("Provides-Extra") or [])}
    assert todo == set().union(*por_extra.values())


def _esta_en(entorno: Path) -> bool:
    """Si lo que ese entorno importa como seedwork es lo que se instaló en él."""
    donde = _correr(entorno / "bin/python", "-c", "import seedwork; print(seedwork.__file__)", en=entorno)
    return Path(donde.strip()).resolve().is_relative_to(entorno.resolve())


async def test_un_entorno_limpio_instala_el_wheel_y_corre_el_primer_programa(wheel: Path, tmp_path: Path) -> None:
    bin = _entorno(tmp_path / "limpio")
    uv = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", bin / "python")
    _correr(*uv, f"aeroalpes-seedwork[asyncio] @ {wheel.as_uri()}", en=tmp_path)
    assert _correr(bin / "seedwork", "--version", en=tmp_path) == f"seedwork {seedwork.__version__}\n"
    assert _esta_en(tmp_path / "limpio")

    (primero, *_) = bloques(RAIZ / "docs/programas.md").values()
    (tmp_path / "programa.py").write_text(primero, "utf-8")
    _correr(bin / "python", "programa.py", en=tmp_path)

    (del_readme,) = bloques(RAIZ / "README.md").values()
    carpeta = tmp_path / "readme"
    carpeta.mkdir()
    (carpeta / "pedidos.py").write_text(del_readme, "utf-8")
    entorno = {nombre: valor for nombre, valor in os.environ.items() if nombre != "PYTHONPATH"}
    proceso = await asyncio.create_subprocess_exec(bin / "python", "pedidos.py", cwd=carpeta, env=entorno)
    try:
        async with (
            asyncio.timeout(60),
            Mensajeria(f"embebido:///{carpeta}/var/broker.db", servicio="prueba") as cliente,
        ):
            facturas = await cliente.leer(["factura.emitida"])
            await cliente.publish_event("pedido.creado", {"id": 1, "total": 9.5}, key_field="id")
            (factura,) = await facturas.recibir(1)
            assert b'"data":{"id":1}' in factura.cuerpo
    finally:
        proceso.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(proceso.wait(), 30) == 0
