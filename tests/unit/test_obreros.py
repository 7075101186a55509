"""La cobertura con varios obreros, medida por un pytest aparte."""

import sys

import pytest
from tests.procesos import RAIZ


@pytest.fixture(autouse=True)
def _plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(RAIZ))


@pytest.mark.parametrize("obreros", [(), ("-n", "2", "--dist", "loadfile")])
def test_lo_que_corre_en_los_obreros_cuenta_en_la_cobertura(
    pytester: pytest.Pytester, obreros: tuple[str, ...]
) -> None:
    pytester.makepyfile(medido="def par(n):\n    if n % 2:\n        return False\n    return True\n")
    pytester.makepyfile(test_impar="from medido import par\n\ndef test_impar():\n    assert not par(1)\n")
    pytester.makepyfile(test_par="from medido import par\n\ndef test_par():\n    assert par(2)\n")
    pytester.path.joinpath(".coveragerc").write_text("[run]\nbranch = true\nsource = .\nomit = test_*\n")

    corrida = pytester.run(
        sys.executable, "-m", "coverage", "run", "-m", "pytest", "-p", "tests.obreros", *obreros, "."
    )
    corrida.assert_outcomes(passed=2)
    informe = pytester.run(sys.executable, "-m", "coverage", "report", "--format=total")
    informe.stdout.fnmatch_lines(["100"])


def test_sin_medir_los_obreros_no_miden(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import coverage\n\ndef test_nada():\n    assert coverage.Coverage.current() is None\n")

    pytester.run(sys.executable, "-m", "pytest", "-p", "tests.obreros", "-n", "1").assert_outcomes(passed=1)
