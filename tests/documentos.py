"""Los programas que enseñan los documentos, corridos tal cual."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

RAIZ = Path(__file__).parents[1]


def bloques(documento: Path, lenguaje: str = "python") -> dict[str, str]:
    """Por el título bajo el que está, cada bloque de ese lenguaje; un título tiene a lo sumo uno."""
    encontrados: dict[str, str] = {}
    for seccion in re.split(r"^#{2,} ", documento.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        titulo, _, texto = seccion.partition("\n")
        codigo = re.findall(rf"^```{lenguaje}\n(.*?)^```", texto, re.MULTILINE | re.DOTALL)
        assert len(codigo) <= 1, titulo
        if codigo:
            encontrados[titulo] = codigo[0]
    return encontrados


def correr(programa: str, nombre: str) -> None:
    """El programa en un módulo propio, como `python programa.py` en la carpeta de trabajo en curso."""
    modulo = ModuleType(nombre)
    modulo.__dict__.update(__name__="__main__", __file__=str(Path.cwd() / "programa.py"))
    anterior = sys.modules["__main__"]
    sys.modules["__main__"] = modulo
    try:
        exec(compile(programa, nombre, "exec", dont_inherit=True), modulo.__dict__)  # noqa: S102 - de eso se trata
    finally:
        sys.modules["__main__"] = anterior


def correr_aparte(programa: str, carpeta: Path) -> None:
    """El programa en un proceso suyo, que debe terminar bien."""
    entorno = {**os.environ, "PYTHONPATH": str(RAIZ / "src")}
    orden = [sys.executable, "-W", "error", "-c", programa]
    hecho = subprocess.run(orden, cwd=carpeta, env=entorno, capture_output=True, text=True, timeout=90)
    assert hecho.returncode == 0, hecho.stdout + hecho.stderr
