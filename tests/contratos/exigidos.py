"""Los servidores de las pruebas: al que falta se le espera en otra corrida y se dice, salvo que ésta lo exija.

`SERVIDORES_EXIGIDOS` nombra, separados por espacios, los que no pueden faltar.
"""

from __future__ import annotations

import os

import pytest
from tests.servidores import urls


def urls_de(nombre: str, *variables: str) -> list[str]:
    """Las URLs del entorno o de `make servidores`; si falta alguna, la prueba se salta, o falla si se exige."""
    conocidas = {**urls(), **os.environ}
    faltan = [variable for variable in variables if not conocidas.get(variable)]
    if faltan:
        aviso = f"No hay {nombre}: arránquelo con `make servidores` o dé {' y '.join(faltan)}"
        if nombre in os.environ.get("SERVIDORES_EXIGIDOS", "").split():
            pytest.fail(aviso)
        pytest.skip(aviso)
    return [conocidas[variable] for variable in variables]
