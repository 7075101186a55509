"""Qué páginas pueden hablarle a este servidor."""

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from ui.origenes import es_admisible


def _admite(*origenes: str, anfitrion: str = "localhost:5678", admitidos: tuple[str, ...] = ()) -> bool:
    cabeceras = CIMultiDict([("Host", anfitrion), *(("Origin", origen) for origen in origenes)])
    return es_admisible(make_mocked_request("GET", "/ws", headers=cabeceras), admitidos)


@pytest.mark.parametrize(
    ("origen", "anfitrion"),
    [
        ("http://localhost:5678", "localhost:5678"),
        ("http://LOCALHOST:5678", "localhost:5678"),
        ("http://[::1]:5678", "[::1]:5678"),
        ("http://aeroalpes.example", "aeroalpes.example"),
        ("http://aeroalpes.example", "aeroalpes.example:80"),
        ("https://aeroalpes.example", "aeroalpes.example"),
    ],
)
def test_la_propia_pagina_se_admite(origen: str, anfitrion: str) -> None:
    assert _admite(origen, anfitrion=anfitrion)


@pytest.mark.parametrize(
    "origen",
    [
        "http://malo.example",
        "http://localhost:5679",
        "http://localhost",
        "http://localhost:5678.malo.example",
        "http://localhost:5678@malo.example",
        "https://127.0.0.1:5678",
        "null",
        "",
        "file://",
        "http://[malo",
        "http://localhost:99999",
        "chrome-extension://abcdef",
    ],
)
def test_una_pagina_ajena_se_rechaza(origen: str) -> None:
    assert not _admite(origen)


def test_quien_no_es_un_navegador_no_manda_origen_y_se_admite() -> None:
    assert _admite()


def test_dos_origenes_a_la_vez_se_rechazan() -> None:
    assert not _admite("http://localhost:5678", "http://malo.example")


def test_un_origen_ajeno_admitido_por_configuracion_pasa_y_otro_esquema_suyo_no() -> None:
    admitidos = ("https://panel.example",)
    assert _admite("https://panel.example", admitidos=admitidos)
    assert not _admite("http://panel.example", admitidos=admitidos)
