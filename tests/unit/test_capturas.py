"""Las capturas que enseña el README: están, son texto y son pequeñas."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

RAIZ = Path(__file__).parents[2]
CAPTURAS = sorted((RAIZ / "docs" / "capturas").iterdir())


@pytest.mark.parametrize("readme", ["README.md", "README.en.md"])
def test_el_readme_ensena_todas_las_capturas_y_ninguna_que_falte(readme: str) -> None:
    nombradas = re.findall(r"docs/capturas/([\w.-]+)", (RAIZ / readme).read_text(encoding="utf-8"))
    assert sorted(nombradas) == [captura.name for captura in CAPTURAS]


@pytest.mark.parametrize("captura", CAPTURAS, ids=lambda captura: captura.name)
def test_una_captura_es_un_svg_con_titulo_que_no_pide_nada_a_nadie(captura: Path) -> None:
    texto = captura.read_text(encoding="utf-8")
    assert len(texto) <= 150_000
    svg = ElementTree.fromstring(texto)  # noqa: S314 - lo escribe este mismo repositorio
    assert svg.findtext("{*}title")
    [imagen] = svg.findall("{*}image")
    assert imagen.attrib["href"].startswith("data:image/webp;base64,")
