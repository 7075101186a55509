"""Qué esquemas Avro se aceptan: los que lo son, y no es peligroso leer con ellos bytes de cualquiera."""

from __future__ import annotations

from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from seedwork.aplicacion.firmas import ErrorDeArranque


class EsquemaInvalido(ErrorDeArranque):
    """Un tipo que no se puede describir en Avro, o un esquema con el que no se acepta leer."""


def parsear(avro: dict[str, Any]) -> Any:
    """El esquema listo para leer y escribir con fastavro; lanza `EsquemaInvalido`."""
    try:
        parseado = fastavro.parse_schema(avro)
    except (SchemaParseException, UnknownType) as error:
        raise EsquemaInvalido(f"El esquema {avro.get('name')} no es Avro válido: {error}") from error
    _revisar(parseado, (), {})
    return parseado


def _revisar(avro: Any, dentro_de: tuple[str, ...], vacios: dict[str, bool]) -> bool:
    """Rechaza lo que es peligroso leer; dice si un valor de `avro` puede no ocupar bytes.

    Un registro recursivo desborda la pila del decodificador; un arreglo de elementos de cero bytes, la memoria.
    """
    if isinstance(avro, str):
        if avro in dentro_de:
            raise EsquemaInvalido(f"El registro {avro} se contiene a sí mismo: no se acepta")
        return avro == "null" or vacios.get(avro, False)
    if isinstance(avro, list):
        for opcion in avro:
            _revisar(opcion, dentro_de, vacios)
        return False
    tipo = avro["type"]
    if tipo == "record":
        dentro_de = (*dentro_de, avro["name"])
        campos = [_revisar(campo["type"], dentro_de, vacios) for campo in avro["fields"]]  # todos, aunque baste uno
        vacios[avro["name"]] = all(campos)
        return vacios[avro["name"]]
    if tipo == "fixed":
        vacios[avro["name"]] = avro["size"] == 0
        return vacios[avro["name"]]
    if tipo == "array" and _revisar(avro["items"], dentro_de, vacios):
        raise EsquemaInvalido("Un arreglo de elementos que no ocupan bytes no se acepta")
    if tipo == "map":
        _revisar(avro["values"], dentro_de, vacios)
    return tipo not in ("array", "map", "enum") and _revisar(tipo, dentro_de, vacios)
