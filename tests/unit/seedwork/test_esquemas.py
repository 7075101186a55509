"""Avro desde dataclasses: lo que se deriva, lo que se publica, lo que se lee y lo que no se acepta."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedwork.infraestructura.avro_seguro import EsquemaInvalido, parsear
from seedwork.infraestructura.esquemas import (
    EsquemaDesconocido,
    esquema_de,
    huella_de,
    ruta_publicada,
    texto_publicable,
)
from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion, sobre


@dataclass(frozen=True, kw_only=True)
class Tramo:
    origen: str
    destino: str


@dataclass(frozen=True, kw_only=True)
class ReservaHecha:
    id_reserva: str
    total: float
    pagada: bool = False
    tramos: list[Tramo] = field(default_factory=list)
    notas: dict[str, str] = field(default_factory=dict)
    huella: bytes = b""
    cuando: datetime | None = None
    cliente: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class ReservaAnulada:
    id_reserva: str
    motivo: str | None = None


@dataclass(frozen=True, kw_only=True)
class EventosReserva(EventoIntegracion):
    """Lo que le pasa a una reserva."""

    reserva_hecha: ReservaHecha | None = None
    reserva_anulada: ReservaAnulada | None = None


textos = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
instantes = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)).map(  # noqa: DTZ001
    lambda d: d.replace(microsecond=d.microsecond // 1000 * 1000, tzinfo=UTC)
)
hechas = st.builds(
    ReservaHecha,
    id_reserva=textos,
    total=st.floats(allow_nan=False),
    pagada=st.booleans(),
    tramos=st.lists(st.builds(Tramo, origen=textos, destino=textos), max_size=3),
    notas=st.dictionaries(textos, textos, max_size=3),
    huella=st.binary(max_size=10),
    cuando=st.none() | instantes,
    cliente=st.none() | st.uuids(),
)
registros = st.builds(
    EventosReserva,
    id=textos,
    time=st.integers(-(2**63), 2**63 - 1),
    ingestion=st.integers(0, 2**63 - 1),
    type=textos,
    service_name=textos,
    reserva_hecha=st.none() | hechas,
    reserva_anulada=st.none() | st.builds(ReservaAnulada, id_reserva=textos, motivo=st.none() | textos),
)


def test_el_esquema_dice_de_donde_es_y_lleva_el_sobre_primero() -> None:
    avro = esquema_de(EventosReserva).avro
    assert avro["name"] == "EventosReserva"
    assert avro["doc"] == "Lo que le pasa a una reserva."
    assert [campo["name"] for campo in avro["fields"]] == [
        "id",
        "time",
        "ingestion",
        "specversion",
        "type",
        "datacontenttype",
        "service_name",
        "reserva_hecha",
        "reserva_anulada",
    ]
    assert avro["fields"][-1]["type"][0] == "null"
    assert avro["fields"][-1]["default"] is None


@settings(deadline=None)  # importa lo que lee, no cuánto tarda
@given(registros)
def test_lo_que_se_escribe_se_lee_igual(registro: EventosReserva) -> None:
    esquema = esquema_de(EventosReserva)
    assert esquema.decodificar(esquema.codificar(registro), esquema.huella) == registro


@given(st.binary(max_size=200))
def test_bytes_cualesquiera_dan_un_registro_o_un_valueerror_y_nada_mas(cuerpo: bytes) -> None:
    try:
        leido = esquema_de(EventosReserva).decodificar(cuerpo, None)
    except ValueError:
        return
    assert isinstance(leido, EventosReserva)


@given(registros, st.data())
def test_un_registro_cortado_o_con_bytes_de_mas_no_se_lee(registro: EventosReserva, datos: st.DataObject) -> None:
    esquema = esquema_de(EventosReserva)
    cuerpo = esquema.codificar(registro)
    corte = datos.draw(st.integers(0, len(cuerpo) - 1))
    with pytest.raises(ValueError, match="EventosReserva"):
        esquema.decodificar(cuerpo[:corte], None)
    with pytest.raises(ValueError, match="Sobran bytes"):
        esquema.decodificar(cuerpo + b"\0", None)


def test_un_arreglo_que_dice_ser_inmenso_no_agota_la_memoria() -> None:
    esquema = esquema_de(Sueltos)
    with pytest.raises(ValueError, match="Sueltos"):
        esquema.decodificar(b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f" + b"\0" * 50, None)


@dataclass(frozen=True, kw_only=True)
class Sueltos:
    textos: list[str]


def test_una_huella_desconocida_se_rechaza() -> None:
    with pytest.raises(EsquemaDesconocido, match="abc de Sueltos no está publicado"):
        esquema_de(Sueltos).decodificar(b"\0", "abc")


def test_la_huella_no_cambia_por_documentacion_ni_por_valores_por_defecto() -> None:
    avro = esquema_de(EventosReserva).avro
    otro = json.loads(json.dumps(avro))
    otro["doc"] = "otra cosa"
    otro["fields"][-1].pop("default")
    assert huella_de(otro) == huella_de(avro)
    otro["fields"][0]["name"] = "ident"
    assert huella_de(otro) != huella_de(avro)


def test_lo_publicable_es_json_legible_que_describe_lo_mismo() -> None:
    texto = texto_publicable(EventosReserva)
    assert texto.endswith("}\n")
    assert huella_de(json.loads(texto)) == esquema_de(EventosReserva).huella
    assert ruta_publicada(EventosReserva) == Path(__file__).with_name("EventosReserva.avsc")


@dataclass(frozen=True, kw_only=True)
class Recursivo:
    hijo: Recursivo | None = None


@dataclass(frozen=True, kw_only=True)
class Ida:
    vuelta: Vuelta | None = None


@dataclass(frozen=True, kw_only=True)
class Vuelta:
    idas: list[Ida] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Vacio:
    pass


@dataclass(frozen=True, kw_only=True)
class Vacios:
    muchos: list[Vacio]


@dataclass(frozen=True, kw_only=True)
class Nulos:
    muchos: list[None]


@dataclass(frozen=True, kw_only=True)
class Raro:
    algo: complex


@dataclass(frozen=True, kw_only=True)
class Perdido:
    algo: NoExiste  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("tipo", "frase"),
    [
        (Recursivo, "Recursivo se contiene a sí mismo"),
        (Ida, "Ida se contiene a sí mismo"),
        (Vacios, "no ocupan bytes"),
        (Nulos, "no ocupan bytes|Nulos no se puede describir"),
        (Raro, "Raro no se puede describir en Avro"),
        (Perdido, "Perdido no se puede describir en Avro: .*NoExiste"),
        (int, "int no es una dataclass"),
    ],
)
def test_lo_que_no_se_puede_describir_o_es_peligroso_leer_se_rechaza(tipo: Any, frase: str) -> None:
    with pytest.raises(EsquemaInvalido, match=frase):
        esquema_de(tipo)


def _registro(*tipos: Any, nombre: str = "R") -> dict[str, Any]:
    campos = [{"name": f"c{i}", "type": tipo} for i, tipo in enumerate(tipos)]
    return {"type": "record", "name": nombre, "namespace": "n", "fields": campos}


@pytest.mark.parametrize(
    "avro",
    [
        _registro(["null", "R"]),
        _registro({"type": "array", "items": "n.R"}),
        _registro(["null", _registro({"type": "map", "values": "R"}, nombre="Otro")]),
        _registro({"type": "array", "items": "null"}),
        _registro({"type": "array", "items": {"type": "null"}}),
        _registro({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}),
        _registro({"type": "fixed", "name": "F", "size": 0}, {"type": "array", "items": "F"}),
        _registro({"type": "array", "items": _registro("null", _registro(nombre="V"), nombre="W")}),
        _registro(_registro("null", nombre="V"), {"type": "array", "items": "n.V"}),
        _registro("noexiste"),
    ],
)
def test_un_esquema_publicado_peligroso_tampoco_se_acepta(avro: dict[str, Any]) -> None:
    with pytest.raises(EsquemaInvalido):
        parsear(avro)


def test_un_esquema_que_repite_un_registro_sin_ser_recursivo_se_acepta() -> None:
    lugar = _registro("string", nombre="Lugar")
    opcional = ["null", {"type": "array", "items": "n.Lugar"}]
    estado = {"type": "enum", "name": "E", "symbols": ["A"]}
    estados, marcas = {"type": "array", "items": "E"}, {"type": "map", "values": "null"}
    assert parsear(_registro(lugar, "Lugar", opcional, marcas, estado, estados))["name"] == "n.R"


# --- versiones ------------------------------------------------------------------------------------------------------

_FUENTE = """
from __future__ import annotations
from dataclasses import dataclass

@dataclass(frozen=True, kw_only=True)
class Pedido:
    id: str
{campos}
"""


def _modulo(carpeta: Path, monkeypatch: pytest.MonkeyPatch, campos: str = "") -> ModuleType:
    archivo = carpeta / "mensajes_de_prueba.py"
    archivo.write_text(_FUENTE.format(campos=campos))
    especificacion = importlib.util.spec_from_file_location("mensajes_de_prueba", archivo)
    assert especificacion is not None
    assert especificacion.loader is not None
    modulo = importlib.util.module_from_spec(especificacion)
    monkeypatch.setitem(sys.modules, "mensajes_de_prueba", modulo)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # dos versiones del mismo archivo en el mismo segundo
    especificacion.loader.exec_module(modulo)
    return modulo


def test_se_leen_los_bytes_de_una_version_publicada_y_lo_nuevo_toma_su_valor_por_defecto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    antes = _modulo(tmp_path, monkeypatch).Pedido
    viejo = esquema_de(antes)
    cuerpo = viejo.codificar(antes(id="p1"))

    despues = _modulo(tmp_path, monkeypatch, "    nota: str | None = None").Pedido
    with pytest.raises(EsquemaDesconocido):  # aún no está publicada junto al tipo
        esquema_de(despues).decodificar(cuerpo, viejo.huella)

    esquema_de.cache_clear()
    (tmp_path / "Pedido.1.avsc").write_text(json.dumps(viejo.avro), "utf-8")
    (tmp_path / "PedidoAjeno.avsc").write_text(json.dumps(_registro("string", nombre="PedidoAjeno")), "utf-8")
    leido = esquema_de(despues).decodificar(cuerpo, viejo.huella)
    assert dataclasses.asdict(leido) == {"id": "p1", "nota": None}
    assert len(esquema_de(despues).escritores) == 2


def test_un_avsc_ilegible_se_nombra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tipo = _modulo(tmp_path, monkeypatch).Pedido
    (tmp_path / "Pedido.1.avsc").write_text("[}", "utf-8")
    with pytest.raises(EsquemaInvalido, match=r"Pedido\.1\.avsc no es un esquema"):
        esquema_de(tipo)


def test_otro_lector_de_avro_entiende_lo_escrito() -> None:
    registro = EventosReserva(
        **sobre("ReservaAnulada", "vuelos", id="1", time=5),  # type: ignore[arg-type]
        reserva_anulada=ReservaAnulada(id_reserva="r"),
    )
    esquema = esquema_de(EventosReserva)
    publicado = fastavro.parse_schema(json.loads(texto_publicable(EventosReserva)))
    leido: Any = fastavro.schemaless_reader(io.BytesIO(esquema.codificar(registro)), publicado, None)
    assert leido["reserva_anulada"] == {"id_reserva": "r", "motivo": None}
    assert (leido["id"], leido["time"], leido["type"]) == ("1", 5, "ReservaAnulada")


def test_se_admite_otra_version_del_mismo_registro_y_nada_ajeno_ni_peligroso(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    esquema = esquema_de(_modulo(tmp_path, monkeypatch).Pedido)
    otra = {**esquema.avro, "namespace": f"{esquema.avro['namespace']}.v7", "fields": [*esquema.avro["fields"]]}
    otra["fields"].append({"name": "nota", "type": ["null", "string"], "default": None})
    escrito = io.BytesIO()
    fastavro.schemaless_writer(escrito, fastavro.parse_schema(otra), {"id": "p1", "nota": "frágil"})
    with pytest.raises(EsquemaDesconocido):
        esquema.decodificar(escrito.getvalue(), huella_de(otra))
    esquema.admitir(otra)
    assert esquema.decodificar(escrito.getvalue(), huella_de(otra)).id == "p1"

    recursiva = {**otra, "fields": [{"name": "id", "type": ["null", "Pedido"]}]}
    for mala, frase in (
        ({**otra, "name": "Pago"}, "Pago no es una versión de .*Pedido"),
        ({**otra, "namespace": "otra.tienda.v1"}, r"otra\.tienda\.v1\.Pedido no es una versión"),
        (recursiva, "se contiene a sí mismo"),
    ):
        with pytest.raises(EsquemaInvalido, match=frase):
            esquema.admitir(mala)
    assert len(esquema.escritores) == 2
