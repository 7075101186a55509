"""Lo que enseñan `docs/equivalencias.md` y `docs/programas.md`, línea por línea y programa por programa."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.documentos import RAIZ, bloques, correr, correr_aparte

EQUIVALENCIAS, PROGRAMAS = RAIZ / "docs/equivalencias.md", RAIZ / "docs/programas.md"
EJEMPLOS = bloques(EQUIVALENCIAS)
TRES_PROGRAMAS = bloques(PROGRAMAS)
APARTE = {"Por su cuenta"}  # `run` es dueño del proceso: de sus señales y de su registro
PRUEBA = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
VARIABLES = ("BROKER_URL", "PULSAR_ADDRESS", "BROKER_HOST", "KAFKA_BOOTSTRAP_SERVERS", "RABBITMQ_URL", "REDIS_URL")


def _lineas() -> list[tuple[str, str, str]]:
    tablas = EQUIVALENCIAS.read_text("utf-8").partition("## Ejemplos")[0]
    filas = [linea.strip("|").split(" | ") for linea in tablas.splitlines() if linea.startswith("| ")]
    return [(fila[0].strip(), fila[1].strip(), fila[2].strip()) for fila in filas if "en la semilla" not in fila[0]]


def _ancla(titulo: str) -> str:
    return titulo.lower().replace(" ", "-")


@pytest.fixture
def carpeta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """La carpeta de trabajo de un programa, que no hereda ni deja nada en el entorno."""
    monkeypatch.chdir(tmp_path)
    for variable in (*VARIABLES, "TEST_ENV", "ENV_CONFIG", "SENTRY_DSN"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    return tmp_path


@pytest.mark.parametrize("titulo", EJEMPLOS)
def test_cada_ejemplo_corre(titulo: str, carpeta: Path) -> None:
    if titulo in APARTE:
        correr_aparte(EJEMPLOS[titulo], carpeta)
    else:
        correr(EJEMPLOS[titulo], f"ejemplo {titulo}")


@pytest.mark.parametrize("titulo", TRES_PROGRAMAS)
def test_cada_programa_corre(titulo: str, carpeta: Path) -> None:
    correr(TRES_PROGRAMAS[titulo], f"programa {titulo}")


def test_las_cinco_semillas_y_los_tres_programas_estan() -> None:
    semillas = re.findall(r"^## (.+)$", EQUIVALENCIAS.read_text("utf-8"), re.MULTILINE)
    assert semillas == ["AeroAlpes", "Barramento de mensagens", "CQRS", "Messaging", "Papa Events", "Ejemplos"]
    assert [titulo[0] for titulo in TRES_PROGRAMAS] == ["1", "2", "3"]


@pytest.mark.parametrize(("semilla", "aqui", "ejemplo"), _lineas())
def test_cada_linea_lleva_a_un_ejemplo_que_usa_lo_que_dice_o_a_la_prueba_que_lo_corre(
    semilla: str, aqui: str, ejemplo: str
) -> None:
    if prueba := PRUEBA.fullmatch(ejemplo):
        texto = (RAIZ / prueba[1]).read_text("utf-8")
        assert re.search(rf"^(async )?def {prueba[2]}\(", texto, re.MULTILINE), f"{semilla}: no está {ejemplo}"
        return
    enlace = re.fullmatch(r"\[(.+)\]\(#(.+)\)", ejemplo)
    assert enlace is not None, f"{semilla}: {ejemplo} no lleva a ningún sitio"
    codigos = {_ancla(titulo): codigo for titulo, codigo in EJEMPLOS.items()}
    assert enlace[2] in codigos, f"{semilla}: no hay ejemplo {enlace[2]}"
    for escrito in re.findall(r"`([^`]+)`", aqui):
        for parte in re.findall(r"\w+", re.match(r"@?[\w. ]*", escrito)[0]):  # type: ignore[index]
            assert parte in codigos[enlace[2]], f"{semilla}: el ejemplo {enlace[2]} no usa {escrito}"


def _orden(*orden: str, en: Path = RAIZ) -> str:
    hecho = subprocess.run([sys.executable, "-m", *orden], cwd=en, capture_output=True, text=True, timeout=90)
    assert hecho.returncode == 0, hecho.stdout + hecho.stderr
    return hecho.stdout


def test_los_stubs_se_compilan_con_la_orden_de_la_semilla(tmp_path: Path) -> None:
    salidas = [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", f"--grpc_python_out={tmp_path}"]
    _orden("grpc_tools.protoc", "-Iprotos", *salidas, "protos/vuelos.proto", en=RAIZ / "src/sidecar")
    assert {ruta.name for ruta in tmp_path.iterdir()} == {"vuelos_pb2.py", "vuelos_pb2.pyi", "vuelos_pb2_grpc.py"}


def test_las_ordenes_de_cobertura_corren(tmp_path: Path) -> None:
    """Con unas pocas pruebas y un solo paquete: todos son los de esta corrida."""
    datos = f"--data-file={tmp_path / 'cobertura'}"
    _orden(
        "coverage",
        "run",
        datos,
        "--source=src/seedwork/dominio",
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "tests/unit/seedwork/test_dominio.py",
    )
    assert "src/seedwork/dominio/" in _orden("coverage", "report", datos, "--include=src/seedwork/dominio/*")


def test_los_requisitos_del_sidecar_se_pueden_instalar() -> None:
    _orden("uv", "pip", "install", "--dry-run", "--python", sys.executable, "-r", "sidecar-requirements.txt")
