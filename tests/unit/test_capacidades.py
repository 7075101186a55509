"""El recuento de capacidades, corrido dentro de un pytest aparte."""

import pytest
from tests.capacidades import agrupa

TABLA = "id\torigen\tcapacidad\tse comprueba con\n" + "".join(f'A{n:02}\tx\tdice "algo\n' for n in range(1, 6))


@pytest.fixture
def corrida(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.mkdir("docs").joinpath("capacidades.tsv").write_text(TABLA, encoding="utf-8")
    pytester.makeini("[pytest]\naddopts = -p tests.capacidades\nasyncio_default_fixture_loop_scope = function\n")
    return pytester


def test_la_corrida_termina_diciendo_que_filas_quedaron_demostradas(corrida: pytest.Pytester) -> None:
    corrida.makepyfile("""
        import pytest

        @pytest.mark.capacidad("A01")
        @pytest.mark.capacidad("A02")
        def test_dos_filas(): pass

        @pytest.mark.capacidad("A03")
        def test_otra(): pass

        @pytest.mark.capacidad("A05")
        def test_falla(): assert False
    """)
    resultado = corrida.runpytest_inprocess()
    resultado.stdout.fnmatch_lines(
        ["*= capacidades =*", "demostradas   3: A01-A03", "fallidas      1: A05", "sin prueba    1: A04"]
    )


def test_una_fila_con_varias_pruebas_no_esta_demostrada_si_una_falla(corrida: pytest.Pytester) -> None:
    corrida.makepyfile("""
        import pytest

        @pytest.mark.capacidad("A01")
        @pytest.mark.parametrize("valor", [1, 0, 1])
        def test_varias(valor): assert valor
    """)
    resultado = corrida.runpytest_inprocess()
    resultado.stdout.fnmatch_lines(["fallidas      1: A01", "sin prueba    4: A02-A05"])
    resultado.stdout.no_fnmatch_line("demostradas*")


@pytest.mark.parametrize("fase", ["antes", "despues"])
def test_un_fallo_al_preparar_o_al_recoger_tambien_es_fallo(corrida: pytest.Pytester, fase: str) -> None:
    corrida.makepyfile(f"""
        import pytest

        @pytest.fixture
        def recurso():
            assert {fase!r} != "antes"
            yield
            assert {fase!r} != "despues"

        @pytest.mark.capacidad("A02")
        def test_con_recurso(recurso): pass
    """)
    corrida.runpytest_inprocess().stdout.fnmatch_lines(["fallidas      1: A02"])


def test_una_prueba_saltada_o_que_no_corrio_no_demuestra_nada(corrida: pytest.Pytester) -> None:
    corrida.makepyfile("""
        import pytest

        @pytest.mark.capacidad("A01")
        def test_saltada(): pytest.skip("no hoy")

        @pytest.mark.capacidad("A02")
        @pytest.mark.xfail
        def test_fallo_previsto(): assert False

        @pytest.mark.capacidad("A03")
        def test_fuera(): pass
    """)
    resultado = corrida.runpytest_inprocess("-k", "not fuera")
    resultado.stdout.fnmatch_lines(["sin prueba    5: A01-A05"])


@pytest.mark.parametrize("marca", ['capacidad("Z99")', "capacidad()", "capacidad"])
def test_una_marca_con_un_id_desconocido_detiene_la_recoleccion(corrida: pytest.Pytester, marca: str) -> None:
    corrida.makepyfile(f"""
        import pytest

        @pytest.mark.{marca}
        def test_fila_inventada(): pass
    """)
    resultado = corrida.runpytest_inprocess("-k", "otra_cosa")
    assert resultado.ret == pytest.ExitCode.USAGE_ERROR
    resultado.stderr.fnmatch_lines(["ERROR: *test_fila_inventada: capacidad * no está en *capacidades.tsv"])


@pytest.mark.parametrize("tabla", [None, "", "otra\tcosa\nA01\tx\n", "id\torigen\nA01\tx\nA01\ty\n"])
def test_una_tabla_ilegible_detiene_la_corrida(corrida: pytest.Pytester, tabla: str | None) -> None:
    ruta = corrida.path / "docs/capacidades.tsv"
    ruta.unlink() if tabla is None else ruta.write_text(tabla, encoding="utf-8")
    resultado = corrida.runpytest_inprocess()
    assert resultado.ret == pytest.ExitCode.USAGE_ERROR
    resultado.stderr.fnmatch_lines(["ERROR: *capacidades.tsv*"])


def test_los_ids_consecutivos_se_agrupan() -> None:
    assert agrupa(["A01", "A02", "A03", "A05", "B01", "B09", "B10", "suelto"]) == "A01-A03 A05 B01 B09-B10 suelto"
    assert agrupa([]) == ""
