"""Una URL de base de datos que no sirve se dice con una frase, y sin su contraseña."""

from __future__ import annotations

from pathlib import Path

import pytest

from seedwork.infraestructura.base_datos import URLBaseDatosInvalida, crear_motor


@pytest.mark.parametrize(
    ("url", "frase"),
    [
        ("esto no es", "no se entiende: 'esto no es'"),
        ("marte://u:secreta@h/b", r"no se entiende: 'marte://u:\*\*\*@h/b'"),
        ("postgresql+noexiste://u:secreta@h/b", r"postgresql\+noexiste://u:\*\*\*@h"),
        ("sqlite://", "en memoria no se comparte"),
        ("sqlite:///:memory:", "en memoria no se comparte"),
    ],
)
def test_una_url_invalida_se_nombra_sin_su_clave(url: str, frase: str) -> None:
    with pytest.raises(URLBaseDatosInvalida, match=frase) as error:
        crear_motor(url)
    assert "secreta" not in str(error.value)


def test_una_carpeta_que_no_se_puede_crear_se_nombra(tmp_path: Path) -> None:
    (tmp_path / "archivo").write_text("")
    with pytest.raises(URLBaseDatosInvalida, match="No se puede crear la carpeta de"):
        crear_motor(f"sqlite:///{tmp_path}/archivo/dentro/b.db")
