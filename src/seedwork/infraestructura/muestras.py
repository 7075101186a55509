"""Registros de muestra: los bytes con que se comprueba que lo escrito con una revisión lo leen todas."""

from __future__ import annotations

import io
from typing import Any

import fastavro

_SIMPLES: dict[str, Any] = {
    "null": None, "boolean": True, "int": 1, "long": 1, "float": 1.5, "double": 1.5, "bytes": b"\1", "string": "ñ",
}  # fmt: skip
_UUID = "018f0000-0000-7000-8000-000000000001"


def muestras_de(avro: dict[str, Any]) -> list[str]:
    """Dos registros escritos con ese esquema, en hexadecimal: uno sin nada opcional y otro con todo."""
    nombres: dict[str, Any] = {}
    parseado: Any = fastavro.parse_schema(avro, nombres)
    escritas = []
    for rama in (0, -1):
        salida = io.BytesIO()
        fastavro.schemaless_writer(salida, parseado, _ejemplo(parseado, rama, nombres))
        escritas.append(salida.getvalue().hex())
    return escritas


def _ejemplo(avro: Any, rama: int, nombres: dict[str, Any]) -> Any:
    """Un valor de ese esquema que en cada unión toma esa rama."""
    if isinstance(avro, str):
        return _SIMPLES[avro] if avro in _SIMPLES else _ejemplo(nombres[avro], rama, nombres)
    if isinstance(avro, list):
        return _ejemplo(avro[rama], rama, nombres)
    if avro.get("logicalType") == "uuid":
        return _UUID
    match avro["type"]:
        case "record":
            return {campo["name"]: _ejemplo(campo["type"], rama, nombres) for campo in avro["fields"]}
        case "array":
            return [_ejemplo(avro["items"], rama, nombres)]
        case "map":
            return {"ñ": _ejemplo(avro["values"], rama, nombres)}
        case "enum":
            return avro["symbols"][rama]
        case "fixed":
            return bytes(avro["size"])
        case tipo:
            return _ejemplo(tipo, rama, nombres)
