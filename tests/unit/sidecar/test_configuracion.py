from pathlib import Path

import pytest

from configuracion import Configuracion, ConfiguracionInvalida, direccion

VARIABLES = ["SIDECAR_HOST", "SIDECAR_PUERTO", "SIDECAR_GRACIA_S", "AEROALPES_ADDRESS", "AEROALPES_PUERTO"]


def test_sin_variables_valen_los_puertos_del_contrato() -> None:
    configuracion = Configuracion.leer({})

    assert (configuracion.host, configuracion.puerto) == ("127.0.0.1", 50051)
    assert (configuracion.api_host, configuracion.api_puerto) == ("localhost", 5000)


def test_una_variable_vacia_cuenta_como_ausente() -> None:
    assert Configuracion.leer(dict.fromkeys(VARIABLES, "")) == Configuracion()


def test_el_entorno_gana_al_punto_env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / ".env").write_text("AEROALPES_PUERTO=5001\nSIDECAR_PUERTO=50052\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIDECAR_PUERTO", "50053")

    configuracion = Configuracion.leer()

    assert (configuracion.puerto, configuracion.api_puerto) == (50053, 5001)


def test_un_punto_env_ilegible_se_nombra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"SIDECAR_PUERTO=\xff\xfe\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfiguracionInvalida, match=r"\.env"):
        Configuracion.leer()


@pytest.mark.parametrize("texto", ["-1", "65536", "5e3", "http://x", "١٢٣٤٥٦"])
def test_un_puerto_imposible_se_rechaza_nombrando_la_variable(texto: str) -> None:
    with pytest.raises(ConfiguracionInvalida, match="SIDECAR_PUERTO"):
        Configuracion.leer({"SIDECAR_PUERTO": texto})


def test_una_direccion_ipv6_lleva_corchetes() -> None:
    assert direccion(Configuracion.leer({"SIDECAR_HOST": "[::]"}).host, 50051) == "[::]:50051"
    assert direccion("0.0.0.0", 50051) == "0.0.0.0:50051"
