import pytest

from servicio import PLAZO_POR_DEFECTO_S, plazo_s


class Llamada:
    def __init__(self, restante_s: float | None) -> None:
        self._restante_s = restante_s

    def time_remaining(self) -> float | None:
        return self._restante_s


def test_sin_plazo_de_quien_llama_vale_el_por_defecto() -> None:
    assert plazo_s(Llamada(None)) == PLAZO_POR_DEFECTO_S


@pytest.mark.parametrize(("restante_s", "esperado_s"), [(30.0, 29.9), (0.5, 0.45), (0.0, 0.0)])
def test_el_plazo_deja_un_margen_para_contestar(restante_s: float, esperado_s: float) -> None:
    assert plazo_s(Llamada(restante_s)) == pytest.approx(esperado_s)
