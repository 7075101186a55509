from __future__ import annotations

import os
from pathlib import Path

from seedwork.infraestructura.anuncio import Anuncio


def test_al_llamarlo_deja_el_pid_aunque_falte_la_carpeta(tmp_path: Path) -> None:
    archivo = tmp_path / "var" / "trabajador.listo"
    Anuncio(archivo)()
    assert archivo.read_text(encoding="ascii") == str(os.getpid())
    assert list(archivo.parent.iterdir()) == [archivo]


def test_al_crearlo_borra_el_que_dejo_un_proceso_que_murio(tmp_path: Path) -> None:
    archivo = tmp_path / "trabajador.listo"
    archivo.write_text(str(os.getpid()), encoding="ascii")
    anuncio = Anuncio(archivo)
    assert not archivo.exists()
    anuncio()
    assert archivo.exists()


def test_si_no_se_puede_escribir_el_proceso_sigue(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("no es una carpeta", encoding="utf-8")
    Anuncio(tmp_path / "var" / "trabajador.listo")()
