"""Si lo escrito con un esquema se lee con otro, según el comprobador de Apache Avro."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from seedwork.aplicacion.firmas import ErrorDeArranque


def por_que_no_lee(lector: dict[str, Any], escritor: dict[str, Any]) -> str | None:
    """La regla de Avro que rompe, en qué campo y cómo; None si `lector` lee lo escrito con `escritor`.

    Lanza `ValueError` si alguno no es Avro.
    """
    del_lector, del_escritor = _por_nombre(json.dumps(lector)), _por_nombre(json.dumps(escritor))
    comunes = [nombre for nombre in del_lector if nombre in del_escritor]  # de fuera adentro
    razones = [razon for n in comunes if (razon := _razon(del_lector[n], del_escritor[n])) is not None]
    return razones[-1] if razones else None


@lru_cache(maxsize=256)
def _por_nombre(texto: str) -> dict[str, Any]:
    try:
        from avro.errors import AvroException
        from avro.schema import parse
    except ModuleNotFoundError as error:
        raise ErrorDeArranque(
            "Para comparar esquemas falta avro: instálelo con `pip install aeroalpes-seedwork[esquemas]`"
        ) from error
    try:
        return dict(_registros(parse(texto)))
    except AvroException as error:
        raise ValueError(f"No es un esquema Avro: {error}") from error


def _razon(lector: Any, escritor: Any) -> str | None:
    from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

    comprobador: Any = ReaderWriterCompatibilityChecker
    resultado = comprobador().get_compatibility(lector, escritor)
    if resultado.compatibility == SchemaCompatibilityType.compatible:
        return None
    reglas = ", ".join(sorted({regla.value for regla in resultado.incompatibilities}))
    indices = [int(i) for lugar in resultado.locations for i in re.findall(r"^/fields/(\d+)", lugar)]
    campos = " y ".join(sorted({lector.fields[i].name for i in indices})) or "?"
    return f"{reglas} en {lector.name}.{campos} ({'; '.join(sorted(resultado.messages))})"


def _registros(avro: Any) -> Iterator[tuple[str, Any]]:
    """Cada registro de un esquema, por su nombre, de fuera adentro."""
    if avro.type in ("record", "error"):
        yield avro.name, avro
    dentro = [c.type for c in getattr(avro, "fields", [])] + list(getattr(avro, "schemas", []))
    for parte in [*dentro, *[getattr(avro, a) for a in ("items", "values") if hasattr(avro, a)]]:
        if hasattr(parte, "type"):
            yield from _registros(parte)
