"""La configuración del proceso ui."""

import pytest
from pydantic import ValidationError

from ui.configuracion import Configuracion


def test_los_valores_por_defecto_son_los_del_contrato(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("UI_HOST", "UI_PUERTO", "UI_ORIGENES", "AEROALPES_ADDRESS", "AEROALPES_PUERTO"):
        monkeypatch.delenv(variable, raising=False)
    configuracion = Configuracion(_env_file=None)
    assert configuracion.ui_puerto == 5678
    assert str(configuracion.url_api) == "http://localhost:5000"
    assert configuracion.ui_origenes == ()


def test_el_ambiente_manda_sobre_lo_predeterminado_y_el_codigo_sobre_el_ambiente(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UI_PUERTO", "7001")
    monkeypatch.setenv("UI_ORIGENES", "https://a.example, https://b.example:8443,")
    monkeypatch.setenv("AEROALPES_ADDRESS", "::1")
    assert Configuracion(_env_file=None).ui_puerto == 7001
    assert Configuracion(_env_file=None, ui_puerto=7002).ui_puerto == 7002
    assert Configuracion(_env_file=None).ui_origenes == ("https://a.example", "https://b.example:8443")
    assert str(Configuracion(_env_file=None).url_api) == "http://[::1]:5000"


@pytest.mark.parametrize("puerto", ["-1", "70000", "web", ""])
def test_un_puerto_que_no_lo_es_se_rechaza(puerto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UI_PUERTO", puerto)
    with pytest.raises(ValidationError, match="ui_puerto"):
        Configuracion(_env_file=None)
