"""La puerta de los esquemas: cada regla se ve romper, con un paquete de esquemas de verdad en disco."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seedwork.infraestructura.esquemas import esquema_de
from seedwork.infraestructura.publicados import (
    ALTERADO,
    COMPATIBLE,
    LEGIBLE,
    QUITADO,
    SIN_PUBLICAR,
    EsquemasIncompatibles,
    Falta,
    publicar,
    registros_de,
    verificar,
)
from seedwork.infraestructura.schema.v1.mensajes import sobre

_MODULO = """
from __future__ import annotations
from dataclasses import dataclass
from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion

@dataclass(frozen=True, kw_only=True)
class PedidoCreado:
    {creado}

@dataclass(frozen=True, kw_only=True)
class EventosPedido(EventoIntegracion):
    pedido_creado: PedidoCreado | None = None
    {mas}
"""
Escribir = Callable[..., list[type]]


@pytest.fixture
def escribir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Escribir]:
    """Escribe `tienda.schema.<version>` y devuelve sus registros, recién importados."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # un .pyc del mismo segundo y tamaño taparía el cambio

    def escribir(creado: str = "id_pedido: str", mas: str = "", version: str = "v1") -> list[type]:
        carpeta = tmp_path / "tienda" / "schema" / version
        carpeta.mkdir(parents=True, exist_ok=True)
        for paquete in (tmp_path / "tienda", carpeta.parent, carpeta):
            (paquete / "__init__.py").touch()
        (carpeta / "eventos.py").write_text(_MODULO.format(creado=creado, mas=mas), "utf-8")
        _olvidar()
        return registros_de(["tienda"])

    yield escribir
    _olvidar()


def _olvidar() -> None:
    for nombre in [nombre for nombre in sys.modules if nombre.partition(".")[0] == "tienda"]:
        del sys.modules[nombre]
    importlib.invalidate_caches()


def _reglas(faltas: list[Falta]) -> set[str]:
    return {falta.regla for falta in faltas}


def test_lo_que_no_se_ha_publicado_falta_y_publicarlo_lo_arregla(escribir: Escribir, tmp_path: Path) -> None:
    registros = escribir()
    assert [tipo.__name__ for tipo in registros] == ["EventosPedido"]
    (falta,) = verificar(registros)
    assert falta.regla == SIN_PUBLICAR
    assert "seedwork esquemas publicar" in falta.detalle
    assert [ruta.name for ruta in publicar(registros)] == ["EventosPedido.avsc"]
    assert verificar(registros) == []
    assert publicar(registros) == []


def test_un_campo_opcional_se_publica_como_revision_nueva_y_la_anterior_queda(
    escribir: Escribir, tmp_path: Path
) -> None:
    (viejo,) = escribir()
    publicar([viejo])
    bytes_viejos = esquema_de(viejo).codificar(viejo(**sobre("PedidoCreado", "tienda", id="1", time=1)))
    huella_vieja = esquema_de(viejo).huella
    registros = escribir("id_pedido: str\n    total: int | None = None")
    assert _reglas(verificar(registros)) == {SIN_PUBLICAR}
    publicar(registros)
    assert verificar(registros) == []
    carpeta = tmp_path / "tienda" / "schema" / "v1"
    assert sorted(ruta.name for ruta in carpeta.glob("*.avsc")) == ["EventosPedido.1.avsc", "EventosPedido.avsc"]
    assert esquema_de(registros[0]).decodificar(bytes_viejos, huella_vieja).id == "1"


@pytest.mark.capacidad("X04")
@pytest.mark.parametrize(
    ("creado", "mas", "razon"),
    [
        ("id_pedido: int", "", "type_mismatch"),
        ("id_pedido: str\n    total: int", "", "reader_field_missing_default_value"),
        ("otro: str", "", "reader_field_missing_default_value"),
        ("id_pedido: str", "obligatorio: str", "reader_field_missing_default_value"),
    ],
    ids=["cambia-de-tipo", "campo-sin-valor", "renombra", "variante-obligatoria"],
)
def test_un_cambio_incompatible_no_pasa_ni_se_publica(
    escribir: Escribir, tmp_path: Path, creado: str, mas: str, razon: str
) -> None:
    publicar(escribir())
    antes = {ruta: ruta.read_bytes() for ruta in tmp_path.rglob("*.avsc")}
    registros = escribir(creado, mas)
    faltas = verificar(registros)
    assert COMPATIBLE in _reglas(faltas)
    assert any(razon in falta.detalle for falta in faltas), faltas
    with pytest.raises(EsquemasIncompatibles, match=razon):
        publicar(registros)
    assert {ruta: ruta.read_bytes() for ruta in tmp_path.rglob("*.avsc")} == antes


def test_la_compatibilidad_es_con_todas_las_revisiones_y_no_sólo_con_la_ultima(escribir: Escribir) -> None:
    publicar(escribir("id_pedido: str\n    nota: str | None = None"))
    publicar(escribir("id_pedido: str"))
    faltas = verificar(escribir("id_pedido: str\n    nota: int | None = None"))
    assert any("EventosPedido.1.avsc" in falta.detalle for falta in faltas if falta.regla == COMPATIBLE), faltas


def test_un_publicado_que_cambia_o_desaparece_se_nota(escribir: Escribir, tmp_path: Path) -> None:
    publicar(escribir())
    publicar(escribir("id_pedido: str\n    total: int | None = None"))
    registros = escribir("id_pedido: str\n    total: int | None = None")
    viejo = tmp_path / "tienda" / "schema" / "v1" / "EventosPedido.1.avsc"
    texto = viejo.read_text("utf-8")
    viejo.write_text(texto.replace('"string"', '"bytes"', 1), "utf-8")
    assert ALTERADO in _reglas(verificar(registros))
    viejo.unlink()
    assert _reglas(verificar(registros)) == {QUITADO}
    with pytest.raises(EsquemasIncompatibles, match="recupérelo"):
        publicar(registros)
    viejo.write_text("{", "utf-8")
    with pytest.raises(EsquemasIncompatibles, match="no es JSON"):
        verificar(registros)


def test_corregir_la_documentacion_no_es_otra_revision(escribir: Escribir, tmp_path: Path) -> None:
    publicar(escribir('"""Un pedido."""\n    id_pedido: str'))
    registros = escribir('"""Un pedido de un cliente."""\n    id_pedido: str')
    assert _reglas(verificar(registros)) == {SIN_PUBLICAR}
    publicar(registros)
    assert verificar(registros) == []
    (ruta,) = tmp_path.rglob("*.avsc")
    assert "de un cliente" in json.loads(ruta.read_text("utf-8"))["fields"][-1]["type"][1]["doc"]


def test_dos_versiones_conviven_y_cada_una_lee_lo_que_escribe_la_otra(escribir: Escribir) -> None:
    publicar(escribir())
    registros = escribir("id_pedido: str\n    total: int | None = None", version="v2")
    publicar(registros)
    registros = escribir("id_pedido: str\n    total: int | None = None", version="v2")
    assert verificar(registros) == []
    v1, v2 = (next(t for t in registros if f".{version}." in t.__module__) for version in ("v1", "v2"))
    for escritor, lector in ((v1, v2), (v2, v1)):
        esquema = esquema_de(escritor)
        cuerpo = esquema.codificar(escritor(**sobre("PedidoCreado", "tienda", id="1", time=1)))
        leido = esquema_de(lector).decodificar(cuerpo, esquema.huella)
        assert type(leido) is lector
        assert leido.id == "1"
    registros = escribir("id_pedido: int", version="v2")
    assert COMPATIBLE in _reglas(verificar(registros))


NOTA = "id_pedido: str\n    nota: {} | None = None"


@pytest.fixture
def dos_versiones(escribir: Escribir, tmp_path: Path) -> Path:
    """Un contrato con dos revisiones de la versión 1 y una de la 2, publicado; devuelve su carpeta."""
    publicar(escribir("id_pedido: str"))
    publicar(escribir(NOTA.format("str")))
    publicar(escribir(NOTA.format("str") + "\n    total: int | None = None", version="v2"))
    return tmp_path / "tienda" / "schema"


@pytest.mark.capacidad("X04")
@pytest.mark.usefixtures("dos_versiones")
def test_lo_incompatible_con_una_revision_de_otra_version_no_pasa_en_ningun_sentido(escribir: Escribir) -> None:
    faltas = verificar(escribir(NOTA.format("int"), version="v2"))
    rotas = {(f.esquema, f.detalle.partition(": ")[0]) for f in faltas if f.regla == COMPATIBLE}
    nueva, vieja = "tienda.v2.EventosPedido", "v1/EventosPedido.avsc"
    assert (nueva, f"no puede leer lo escrito con {vieja}") in rotas
    assert (vieja, f"no puede leer lo escrito con {nueva}") in rotas
    faltas = verificar(escribir("id_pedido: str\n    obligatorio: str", version="v2"))
    assert {f.esquema for f in faltas if f.regla == COMPATIBLE} == {nueva}
    assert any("v1/EventosPedido.1.avsc: reader_field_missing_default_value" in f.detalle for f in faltas)


@pytest.mark.capacidad("X04")
@pytest.mark.parametrize("archivo", ["v1/EventosPedido.1.avsc", "v1/EventosPedido.avsc", "v2/EventosPedido.avsc"])
def test_lo_publicado_en_cualquier_version_no_cambia_ni_se_quita(dos_versiones: Path, archivo: str) -> None:
    ruta = dos_versiones / archivo
    ruta.write_text(ruta.read_text("utf-8").replace('"long"', '"int"', 1), "utf-8")
    registros = registros_de(["tienda"])
    assert [f.esquema for f in verificar(registros) if f.regla == ALTERADO] == [archivo]
    ruta.unlink()
    assert [f.esquema for f in verificar(registros) if f.regla == QUITADO] == [archivo]


@pytest.mark.capacidad("X04")
def test_quitar_una_version_entera_se_nota(dos_versiones: Path) -> None:
    shutil.rmtree(dos_versiones / "v2")
    _olvidar()
    (falta,) = verificar(registros_de(["tienda"]))
    assert (falta.esquema, falta.regla) == ("v2/EventosPedido.avsc", QUITADO)


@pytest.mark.capacidad("X04")
def test_lo_que_el_comprobador_no_ve_se_nota_al_leer_lo_guardado(escribir: Escribir, dos_versiones: Path) -> None:
    mas_estricto = """id_pedido: str
    nota: str | None = None
    total: int | None = None

    def __post_init__(self) -> None:
        if len(self.id_pedido) < 8:
            raise ValueError("muy corto")
    """
    faltas = verificar(escribir(mas_estricto, version="v2"))
    assert {(f.esquema, f.regla) for f in faltas} == {("tienda.v2.EventosPedido", LEGIBLE)}
    revisiones = ["v1/EventosPedido.1.avsc", "v1/EventosPedido.avsc", "v2/EventosPedido.avsc"]
    assert [f.detalle.partition(":")[0].split()[-1] for f in faltas] == revisiones
    assert all("muy corto" in f.detalle for f in faltas)


def test_los_bytes_guardados_al_publicar_no_se_vuelven_a_generar(escribir: Escribir, dos_versiones: Path) -> None:
    acta = dos_versiones / "publicados.json"
    antes = json.loads(acta.read_text("utf-8"))
    assert list(antes) == ["v1/EventosPedido.1.avsc", "v1/EventosPedido.avsc", "v2/EventosPedido.avsc"]
    assert all(len(anotado["muestras"]) == 2 for anotado in antes.values())
    publicar(escribir(NOTA.format("str") + "\n    moneda: str = 'USD'", version="v2"))
    despues = json.loads(acta.read_text("utf-8"))
    assert despues["v2/EventosPedido.1.avsc"] == antes["v2/EventosPedido.avsc"]
    assert {archivo: despues[archivo] for archivo in list(antes)[:2]} == {a: antes[a] for a in list(antes)[:2]}
    antes["v1/EventosPedido.avsc"]["muestras"][1] = "00"
    acta.write_text(json.dumps(antes), "utf-8")
    assert LEGIBLE in _reglas(verificar(registros_de(["tienda"])))
