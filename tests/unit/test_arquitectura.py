"""La regla de dependencias se cumple, y cada contrato de `.importlinter` sabe fallar.

Cada caso planta en una copia de `src` un archivo con un solo import prohibido y espera que import-linter lo
rechace por ese contrato y por ningún otro. Todos los casos se revisan en una sola corrida. Los de módulo van en
un contexto inventado, que ningún contrato nombra.
"""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

RAIZ = Path(__file__).parents[2]
INTRUSO = "aeroalpes/modulos/intruso"
VECINO = "aeroalpes.modulos.vecino"

PROHIBIDOS = [
    ("seedwork", "seedwork/presentacion", "import aeroalpes"),
    ("seedwork", "seedwork", "import sidecar"),
    ("seedwork-dominio", "seedwork/dominio", "import sqlalchemy"),
    ("seedwork-dominio", "seedwork/dominio", "import seedwork.aplicacion"),
    ("seedwork-dominio", "seedwork/dominio", "from seedwork import Reintentos"),
    ("seedwork-aplicacion", "seedwork/aplicacion", "import svcs"),
    ("seedwork-aplicacion", "seedwork/aplicacion", "import seedwork.infraestructura"),
    ("seedwork-aplicacion", "seedwork/aplicacion", "import seedwork.presentacion"),
    ("seedwork-infraestructura", "seedwork/infraestructura", "import seedwork.presentacion"),
    ("aeroalpes", "aeroalpes", "import ui"),
    ("dominio", f"{INTRUSO}/dominio", "import pydantic"),
    ("dominio", f"{INTRUSO}/dominio", "import seedwork.aplicacion"),
    ("dominio", f"{INTRUSO}/dominio", "import aeroalpes.modulos.intruso.aplicacion"),
    ("dominio", f"{INTRUSO}/dominio", f"import {VECINO}.dominio"),
    ("aplicacion", f"{INTRUSO}/aplicacion/comandos", "import sqlalchemy"),
    ("aplicacion", f"{INTRUSO}/aplicacion", f"import {VECINO}.dominio"),
    ("aplicacion", f"{INTRUSO}/aplicacion", "import seedwork.infraestructura"),
    ("infraestructura", f"{INTRUSO}/infraestructura", f"import {VECINO}.infraestructura"),
    ("infraestructura", f"{INTRUSO}/infraestructura", f"import {VECINO}.dominio"),
    ("infraestructura", f"{INTRUSO}/infraestructura", "import aeroalpes.config"),
    ("api", "aeroalpes/api", f"import {VECINO}.infraestructura"),
    ("api", "aeroalpes/api", f"import {VECINO}.modulo"),
    ("api", "aeroalpes/api", "import seedwork.infraestructura"),
    ("config", "aeroalpes/config", "import aeroalpes.modulos.vuelos.dominio.entidades"),
    ("cableado", "aeroalpes", "import aeroalpes.composicion"),
    ("cableado", "aeroalpes", f"import {VECINO}.modulo"),
    ("cableado", f"{INTRUSO}", "import aeroalpes.modulos.intruso.infraestructura"),
    ("notificaciones", "notificaciones", f"import {VECINO}.dominio"),
    ("notificaciones", "notificaciones", "import ui"),
    ("ui", "ui", f"import {VECINO}.infraestructura"),
    ("ui", "ui", "import aeroalpes.api"),
    ("sidecar", "sidecar", "import seedwork"),
    ("sidecar", "sidecar", "import aeroalpes"),
    ("arranque", "arranque", "import seedwork"),
]

PERMITIDOS = [
    (f"{INTRUSO}/dominio/intruso.py", "import dataclasses, seedwork.dominio"),
    (f"{INTRUSO}/aplicacion/intruso.py", "import seedwork.aplicacion, aeroalpes.modulos.intruso.dominio"),
    (f"{INTRUSO}/infraestructura/intruso.py", f"import sqlalchemy, seedwork, {VECINO}.infraestructura.schema.v1"),
    (f"{INTRUSO}/modulo.py", "import aeroalpes.modulos.intruso.infraestructura.intruso"),
    ("notificaciones/intruso.py", f"import seedwork, {VECINO}.infraestructura.schema.v1"),
    ("ui/intruso.py", f"import websockets, {VECINO}.infraestructura.schema.v1"),
]


def contratos() -> dict[str, str]:
    """Nombre de cada contrato por su clave en `.importlinter`."""
    config = configparser.ConfigParser()
    config.read(RAIZ / ".importlinter", encoding="utf-8")
    prefijo = "importlinter:contract:"
    return {s.removeprefix(prefijo): config[s]["name"] for s in config.sections() if s.startswith(prefijo)}


def planta(copia: Path, archivo: str, codigo: str) -> None:
    ruta = copia / "src" / archivo
    ruta.parent.mkdir(parents=True, exist_ok=True)
    for carpeta in ruta.relative_to(copia / "src").parents[:-1]:
        (copia / "src" / carpeta / "__init__.py").touch()
    ruta.write_text(codigo + "\n", encoding="utf-8")


def revisa(copia: Path) -> tuple[int, str]:
    """Código de salida e informe de import-linter sobre la copia."""
    resultado = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-logo"],
        cwd=copia,
        env={**os.environ, "PYTHONPATH": str(copia / "src"), "PYTHONUTF8": "1", "COLUMNS": "300"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return resultado.returncode, resultado.stdout + resultado.stderr


def copia_en(destino: Path) -> Path:
    shutil.copytree(RAIZ / "src", destino / "src", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    (destino / "tests").mkdir()
    shutil.copy(RAIZ / "tests/solo_importa.py", destino / "tests")
    shutil.copy(RAIZ / ".importlinter", destino)
    for capa in ("dominio", "aplicacion", "infraestructura", "infraestructura/schema/v1"):
        planta(destino, f"{INTRUSO}/{capa}/nada.py", "")
        planta(destino, f"{VECINO.replace('.', '/')}/{capa}/nada.py", "")
    planta(destino, f"{VECINO.replace('.', '/')}/modulo.py", "")
    return destino


@pytest.fixture
def copia(tmp_path: Path) -> Path:
    return copia_en(tmp_path)


@pytest.fixture(scope="module")
def rechazos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Lo que cada contrato, por su nombre, dice de la copia con todos los imports prohibidos plantados."""
    copia = copia_en(tmp_path_factory.mktemp("prohibidos"))
    for caso, (_, carpeta, codigo) in enumerate(PROHIBIDOS):
        planta(copia, f"{carpeta}/intruso_{caso}.py", codigo)
    salida, informe = revisa(copia)
    assert salida != 0
    motivos = informe.partition("Broken contracts")[2]
    partes = re.split("^(" + "|".join(map(re.escape, contratos().values())) + ")$", motivos, flags=re.MULTILINE)
    return dict.fromkeys(contratos().values(), "") | dict(zip(partes[1::2], partes[2::2], strict=True))


@pytest.mark.capacidad("A14")
def test_el_codigo_cumple_todos_los_contratos(copia: Path) -> None:
    codigo, informe = revisa(copia)
    assert codigo == 0, informe
    for nombre in contratos().values():
        assert f"{nombre} KEPT" in informe


@pytest.mark.parametrize("caso", range(len(PROHIBIDOS)), ids=lambda caso: f"{PROHIBIDOS[caso][0]}-{caso}")
def test_un_import_prohibido_lo_rechaza_su_contrato(rechazos: dict[str, str], caso: int) -> None:
    contrato, _, _ = PROHIBIDOS[caso]
    rotos = [clave for clave, nombre in contratos().items() if re.search(rf"\bintruso_{caso}\b", rechazos[nombre])]
    assert rotos == [contrato]


def test_cada_contrato_tiene_un_caso_que_lo_rompe() -> None:
    assert {contrato for contrato, _, _ in PROHIBIDOS} == set(contratos())


@pytest.mark.capacidad("A14")
def test_lo_que_la_regla_permite_se_acepta_en_un_modulo_nuevo(copia: Path) -> None:
    for archivo, codigo in PERMITIDOS:
        planta(copia, archivo, codigo)
    codigo, informe = revisa(copia)
    assert codigo == 0, informe


def test_un_contrato_que_ya_no_obliga_a_nadie_es_un_error(copia: Path) -> None:
    for ruta in (copia / "src/aeroalpes").glob("config*"):
        shutil.rmtree(ruta) if ruta.is_dir() else ruta.unlink()
    codigo, informe = revisa(copia)
    assert codigo != 0
    assert "aeroalpes.config" in informe


def test_ningun_archivo_de_src_escapa_a_los_contratos() -> None:
    """Una carpeta sin `__init__.py` dentro de un paquete, o un paquete que no es raíz, no se revisaría.

    Quedan fuera los archivos cuyo nombre no se puede importar: son migraciones, y Alembic las lee por su ruta.
    """
    config = configparser.ConfigParser()
    config.read(RAIZ / ".importlinter", encoding="utf-8")
    raices = config["importlinter"]["root_packages"].split()
    grafo = grimp.build_graph(raices[0], *raices[1:], cache_dir=None)
    rutas = [archivo.relative_to(RAIZ / "src").with_suffix("").parts for archivo in (RAIZ / "src").rglob("*.py")]
    modulos = {".".join(ruta).removesuffix(".__init__") for ruta in rutas if len(ruta) > 1 and ruta[-1].isidentifier()}
    assert modulos - grafo.modules == set()
