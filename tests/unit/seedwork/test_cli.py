"""El mal uso del mandato `seedwork`: cada forma de equivocarse tiene su frase y su código."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seedwork.presentacion.cli import grupo, seedwork

APLICACION = """
from seedwork import ErrorDeArranque, Mensajeria, Modulo, Reintentos, bootstrap, on_event

mensajeria = Mensajeria("embebido://", servicio="tienda")
bus = bootstrap([Modulo(nombre="pagos")], broker="embebido://", servicio="tienda")
numero = 3

@mensajeria.on_event("pedido.*", use_case_name="facturar", reintentos=Reintentos(maximo=2, espera_s=5, factor=2))
def facturar(pedido: dict) -> None: ...

@mensajeria.event("factura.emitida", key_field="id")
def emitir(): ...

class Envoltorio:
    mensajeria = mensajeria

def fabrica(): return mensajeria
def con_argumentos(url): return mensajeria
def que_falla(): raise ValueError("no quiero")
def mal_armada(): raise ErrorDeArranque("falta el puerto X")
async def asincrona(): return mensajeria
def de_otra_cosa(): return 3
"""

Mandar = Callable[..., tuple[int, str, str]]


@pytest.fixture
def mandar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Mandar]:
    (tmp_path / "tienda_de_prueba.py").write_text(APLICACION, encoding="utf-8")
    (tmp_path / "tienda_rota.py").write_text("import no_existe_tal_cosa", encoding="utf-8")
    (tmp_path / "tienda_con_fallo.py").write_text("1 / 0", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEEDWORK_APP", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(grupo, "configurar_registro", lambda: None)  # es del proceso, y éste es de todas las pruebas

    def mandar(*argumentos: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["seedwork", *argumentos])
        with pytest.raises(SystemExit) as salida:
            grupo.correr(seedwork)
        return int(salida.value.code or 0), *capsys.readouterr()

    yield mandar
    for nombre in [nombre for nombre in sys.modules if nombre.startswith("tienda_")]:
        del sys.modules[nombre]


@pytest.mark.parametrize(
    ("app", "codigo", "dice"),
    [
        ("", 2, "--app modulo:objeto"),
        ("tienda_de_prueba", 2, "'tienda_de_prueba' no es `modulo:objeto`"),
        (":mensajeria", 2, "no es `modulo:objeto`"),
        ("tienda_que_no_hay:x", 2, "No se encuentra el módulo 'tienda_que_no_hay'"),
        ("tienda_de_prueba.dentro:x", 2, "tienda_de_prueba"),
        ("tienda_rota:x", 1, "no_existe_tal_cosa"),
        ("tienda_con_fallo:x", 1, "ZeroDivisionError"),
        ("tienda_de_prueba:nada", 2, "no hay 'nada'"),
        ("tienda_de_prueba:numero", 2, "es int, y debe ser una Mensajeria o un Sistema"),
        ("tienda_de_prueba:con_argumentos", 2, "no se puede llamar sin argumentos"),
        ("tienda_de_prueba:asincrona", 2, "corrutina"),
        ("tienda_de_prueba:de_otra_cosa", 2, "Lo que devuelve 'tienda_de_prueba:de_otra_cosa' es int"),
        ("tienda_de_prueba:que_falla", 1, "ValueError: no quiero"),
        ("tienda_de_prueba:mal_armada", 1, "Error: falta el puerto X"),
    ],
)
def test_una_aplicacion_que_no_sirve_dice_por_que(mandar: Mandar, app: str, codigo: int, dice: str) -> None:
    salio, salida, errores = mandar("--app", app, "rutas")

    assert (salio, salida) == (codigo, "")
    assert dice in errores


@pytest.mark.parametrize("objeto", ["mensajeria", "fabrica", "Envoltorio.mensajeria", "bus"])
def test_la_aplicacion_es_una_mensajeria_un_sistema_o_quien_los_da(
    mandar: Mandar, monkeypatch: pytest.MonkeyPatch, objeto: str
) -> None:
    monkeypatch.setenv("SEEDWORK_APP", f"tienda_de_prueba:{objeto}")

    assert mandar("rutas", "--json")[0] == 0


def test_la_aplicacion_puede_estar_en_un_env(mandar: Mandar, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SEEDWORK_APP=tienda_de_prueba:mensajeria\n", encoding="utf-8")

    assert mandar("rutas")[0] == 0


@pytest.mark.parametrize(
    ("argumentos", "dice"),
    [
        ([], "Uso: seedwork [OPCIONES] MANDATO"),
        (["letras-muertas"], "reenviar"),
        (["volar"], "No existe el mandato 'volar'"),
        (["rutas", "--rara"], "No existe la opción --rara"),
        (["consumir"], "Diga uno o más tópicos, o `--todos`"),
        (["consumir", "a", "--todos"], "Diga uno o más tópicos, o `--todos`"),
        (["consumir", "nadie"], "Nadie consume 'nadie'; hay consumidores de: pedido.*"),
        (["trabajador", "--modulo", "x"], "No hay módulo 'x'"),
        (["letras-muertas", "ver"], "Falta 'ID'"),
        (["letras-muertas", "listar", "--maximo", "0"], "'--maximo'"),
        (["letras-muertas", "reenviar"], "sus id, `--suscripcion NOMBRE` o `--todas`"),
        (["letras-muertas", "reenviar", "1", "--todas"], "sus id, `--suscripcion NOMBRE` o `--todas`"),
        (["letras-muertas", "descartar", "--suscripcion", "x"], "--si"),
    ],
)
def test_un_mandato_mal_usado_sale_con_2_y_una_frase(
    mandar: Mandar, monkeypatch: pytest.MonkeyPatch, argumentos: list[str], dice: str
) -> None:
    monkeypatch.setenv("SEEDWORK_APP", "tienda_de_prueba:mensajeria")
    codigo, salida, errores = mandar(*argumentos)

    assert (codigo, salida) == (2, "")
    assert dice in errores


def test_la_ayuda_es_en_espanol_y_nombra_los_mandatos(mandar: Mandar) -> None:
    codigo, salida, _ = mandar("--help")

    assert codigo == 0
    assert "Usage" not in salida
    assert all(
        nombre in salida for nombre in ("consumir", "trabajador", "letras-muertas", "rutas", "Muestra esta ayuda")
    )
    assert mandar("--version")[1].startswith("seedwork ")


def test_rutas_dice_quien_publica_y_quien_atiende_y_con_que_reintentos(mandar: Mandar) -> None:
    codigo, salida, _ = mandar("--app", "tienda_de_prueba:mensajeria", "rutas", "--json")
    rutas = json.loads(salida)
    [consumidor] = rutas["consumidores"]

    assert codigo == 0
    assert consumidor["suscripcion"] == "tienda.facturar"
    assert consumidor["topicos"] == ["pedido.*"]
    assert consumidor["atiende"][0]["funcion"] == "tienda_de_prueba.facturar"
    assert (consumidor["reintentos"]["maximo"], consumidor["reintentos"]["espera_s"]) == (2, 5.0)
    assert rutas["publica"] == [
        {
            "evento": "factura.emitida",
            "topico": "factura.emitida",
            "clave": "id",
            "funcion": "tienda_de_prueba.emitir",
        }
    ]
    _, tabla, _ = mandar("--app", "tienda_de_prueba:mensajeria", "rutas")
    assert "2 cada 5 s x2" in tabla
    assert "tienda.facturar" in tabla
