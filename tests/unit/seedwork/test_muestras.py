"""Los registros de muestra: que se escriben con cualquier esquema, y que pasan por cada rama de un opcional."""

from __future__ import annotations

import io
from typing import Any

import fastavro

from seedwork.infraestructura.muestras import muestras_de

LUGAR = {"type": "record", "name": "Lugar", "fields": [{"name": "codigo", "type": "string"}]}
TODO = {
    "type": "record",
    "name": "Todo",
    "namespace": "prueba.v1",
    "fields": [
        {"name": nombre, "type": tipo}
        for nombre, tipo in {
            "origen": LUGAR,
            "destino": ["null", "Lugar"],
            "paradas": {"type": "array", "items": "Lugar"},
            "notas": {"type": "map", "values": ["null", "double"]},
            "estado": {"type": "enum", "name": "Estado", "symbols": ["A", "B"]},
            "sello": {"type": "fixed", "name": "Sello", "size": 3},
            "cliente": {"type": "string", "logicalType": "uuid"},
            "cuando": {"type": "long", "logicalType": "timestamp-millis"},
            "dia": {"type": "int", "logicalType": "date"},
            "crudo": {"type": "bytes"},
            "pagada": "boolean",
        }.items()
    ],
}


def test_una_muestra_no_dice_nada_opcional_y_la_otra_lo_dice_todo() -> None:
    esquema: Any = fastavro.parse_schema(TODO)
    sin_nada, con_todo = (
        fastavro.schemaless_reader(io.BytesIO(bytes.fromhex(muestra)), esquema, None) for muestra in muestras_de(TODO)
    )
    assert (sin_nada["destino"], con_todo["destino"]) == (None, {"codigo": "ñ"})
    assert (sin_nada["estado"], con_todo["estado"]) == ("A", "B")
    assert (sin_nada["notas"], con_todo["notas"]) == ({"ñ": None}, {"ñ": 1.5})
    assert con_todo["paradas"] == [{"codigo": "ñ"}]


def test_las_muestras_de_un_esquema_son_siempre_las_mismas() -> None:
    assert muestras_de(TODO) == muestras_de(TODO)
