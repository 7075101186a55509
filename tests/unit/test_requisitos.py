"""Los requisitos fijados están al día con pyproject.toml: si falla, toca `make requisitos`."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

RAIZ = Path(__file__).parents[2]
PROYECTO = tomllib.loads((RAIZ / "pyproject.toml").read_text(encoding="utf-8"))
GRUPOS = PROYECTO["dependency-groups"]


def fijados(archivo: str) -> dict[str, str]:
    lineas = (linea.partition("#")[0].strip() for linea in (RAIZ / archivo).read_text(encoding="utf-8").splitlines())
    requisitos = [Requirement(linea) for linea in lineas if linea]
    return {canonicalize_name(requisito.name): str(requisito.specifier) for requisito in requisitos}


@pytest.mark.parametrize(
    ("archivo", "declarados"),
    [
        ("requirements.txt", PROYECTO["project"]["dependencies"] + [uno for grupo in GRUPOS.values() for uno in grupo]),
        ("suite-requirements.txt", PROYECTO["project"]["dependencies"] + GRUPOS["suite"]),
        ("sidecar-requirements.txt", GRUPOS["sidecar"]),
    ],
)
def test_todo_lo_declarado_esta_fijado_en_una_version_que_vale(archivo: str, declarados: list[str]) -> None:
    versiones = fijados(archivo)
    for declarado in map(Requirement, declarados):
        version = versiones.get(canonicalize_name(declarado.name), "")
        assert re.fullmatch(r"==[\w.]+", version), f"{declarado.name} no está fijado en {archivo}"
        assert declarado.specifier.contains(version.removeprefix("=="), prereleases=True)


def test_el_sidecar_usa_las_mismas_versiones_que_el_resto() -> None:
    todas = fijados("requirements.txt")
    for archivo in ("suite-requirements.txt", "sidecar-requirements.txt"):
        assert fijados(archivo).items() <= todas.items()


@pytest.mark.parametrize("archivo", ["requirements.txt", "suite-requirements.txt", "sidecar-requirements.txt"])
def test_los_requisitos_no_dicen_de_donde_se_bajaron(archivo: str) -> None:
    assert not re.search(r"://|^\s*-|\s/\w", (RAIZ / archivo).read_text(encoding="utf-8"), flags=re.MULTILINE)
