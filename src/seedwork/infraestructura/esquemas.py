"""Avro desde dataclasses: el esquema se deriva del tipo, se publica en un `.avsc` a su lado, y manda al leer.

Se lee sólo lo escrito con un esquema conocido (por su huella): el propio o uno de los `.avsc` que publicó ese registro.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import re
import sys
import types
import typing
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
from dataclasses_avroschema import AvroModel
from fastavro.schema import SchemaParseException, UnknownType, to_parsing_canonical_form
from pydantic import TypeAdapter

from seedwork.aplicacion.firmas import ErrorDeArranque, nombre_de


class EsquemaInvalido(ErrorDeArranque):
    """Un tipo del que no sale un esquema que se pueda publicar."""


class EsquemaDesconocido(Exception):
    """Un mensaje dice estar escrito con un esquema que no está publicado aquí."""


@dataclasses.dataclass(frozen=True)
class Esquema:
    """Un tipo, su esquema Avro y las huellas con las que se acepta leerlo."""

    tipo: type
    avro: dict[str, Any]
    huella: str
    escritores: dict[str, Any]
    adaptador: TypeAdapter[Any]

    def codificar(self, mensaje: Any) -> bytes:
        """Los bytes Avro de `mensaje`, sin esquema dentro."""
        salida = io.BytesIO()
        fastavro.schemaless_writer(salida, self.escritores[self.huella], self.adaptador.dump_python(mensaje))
        return salida.getvalue()

    def decodificar(self, cuerpo: bytes, huella: str | None) -> Any:
        """El objeto leído con el esquema con que se escribió; sin huella se supone el propio.

        Lanza `EsquemaDesconocido`, o `ValueError` si los bytes no son eso.
        """
        if huella is not None and huella not in self.escritores:
            raise EsquemaDesconocido(f"El esquema {huella} de {self.avro['name']} no está publicado aquí")
        entrada = io.BytesIO(cuerpo)
        propio = self.escritores[self.huella]
        try:
            datos = fastavro.schemaless_reader(entrada, self.escritores[huella or self.huella], propio)
        except Exception as error:
            # fastavro lanza de todo ante bytes que no son suyos: IndexError, EOFError, OverflowError, struct.error...
            raise ValueError(f"Los bytes no son un registro {self.avro['name']}: {error!r}") from error
        if entrada.read(1):
            raise ValueError(f"Sobran bytes tras el registro {self.avro['name']}")
        return self.adaptador.validate_python(datos)


@cache
def esquema_de(tipo: type) -> Esquema:
    """El esquema de una dataclass; lanza `EsquemaInvalido` si no se puede derivar o sería peligroso leerlo."""
    try:
        avro = _derivar(tipo, {}).avro_schema_to_python()
    except (ValueError, TypeError, NameError) as error:
        raise EsquemaInvalido(f"{nombre_de(tipo)} no se puede describir en Avro: {error}") from error
    avro = {"type": "record", "name": tipo.__name__, "namespace": espacio_de(tipo), **avro}
    escritores = {huella_de(avro): _parsear(avro)}
    for publicado in _publicados(tipo, avro):
        escritores.setdefault(huella_de(publicado), _parsear(publicado))
    return Esquema(tipo, avro, huella_de(avro), escritores, TypeAdapter(tipo))


def espacio_de(tipo: type) -> str:
    """El espacio de nombres: el contexto y la versión, `aeroalpes.vuelos.v1`."""
    partes = [p for p in tipo.__module__.split(".") if p not in ("modulos", "infraestructura", "schema")]
    return ".".join(partes[:-1]) or "seedwork"


def huella_de(avro: dict[str, Any]) -> str:
    """SHA-256 de la forma canónica de Avro: no cambia por documentación ni por valores por defecto."""
    return hashlib.sha256(to_parsing_canonical_form(avro).encode()).hexdigest()


def texto_publicable(tipo: type) -> str:
    """El contenido del `.avsc` de un tipo."""
    return json.dumps(esquema_de(tipo).avro, ensure_ascii=False, indent=2) + "\n"


def ruta_publicada(tipo: type) -> Path:
    """Dónde va el `.avsc` de un tipo: junto a su módulo."""
    archivo = getattr(sys.modules[tipo.__module__], "__file__", None)
    return Path(archivo or ".").with_name(f"{tipo.__name__}.avsc")


def _publicados(tipo: type, avro: dict[str, Any]) -> list[dict[str, Any]]:
    publicados = []
    carpeta = ruta_publicada(tipo).parent
    # Lo escrito con otra versión del contrato también se lee: quien escribe pasa a la v2 sin esperar a quien lee la v1.
    carpetas = carpeta.parent.glob("v*/") if re.fullmatch(r"v\d+", carpeta.name) else [carpeta]
    for ruta in sorted(ruta for c in carpetas for ruta in c.glob(f"{tipo.__name__}*.avsc")):
        try:
            publicado = json.loads(ruta.read_text("utf-8"))
            if publicado["name"] == avro["name"]:
                publicados.append(publicado)
        except (ValueError, KeyError, TypeError) as error:
            raise EsquemaInvalido(f"{ruta} no es un esquema de registro: {error!r}") from error
    return publicados


def _parsear(avro: dict[str, Any]) -> Any:
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


def _derivar(tipo: type, hechos: dict[type, Any]) -> Any:
    """El `AvroModel` equivalente a una dataclass corriente, con sus tipos resueltos."""
    if tipo not in hechos:
        if not dataclasses.is_dataclass(tipo):
            raise EsquemaInvalido(f"{nombre_de(tipo)} no es una dataclass")
        tipos = typing.get_type_hints(tipo)
        hechos[tipo] = object  # marca: un tipo que se contiene se ve al convertir
        campos = [
            (campo.name, _convertir(tipos[campo.name], hechos), _copiar(campo)) for campo in dataclasses.fields(tipo)
        ]
        modelo = dataclasses.make_dataclass(tipo.__name__, campos, bases=(AvroModel,), kw_only=True)
        modelo.__doc__ = "" if (tipo.__doc__ or "").startswith(f"{tipo.__name__}(") else tipo.__doc__
        hechos[tipo] = modelo
    elif hechos[tipo] is object:
        raise EsquemaInvalido(f"El registro {tipo.__name__} se contiene a sí mismo: no se acepta")
    return hechos[tipo]


def _copiar(campo: Any) -> Any:
    return dataclasses.field(default=campo.default, default_factory=campo.default_factory, metadata=campo.metadata)


def _convertir(tipo: Any, hechos: dict[type, Any]) -> Any:
    if dataclasses.is_dataclass(tipo):
        return _derivar(typing.cast("type", tipo), hechos)
    argumentos = tuple(_convertir(argumento, hechos) for argumento in typing.get_args(tipo))
    if not argumentos:
        return tipo
    origen = typing.get_origin(tipo)
    return typing.Union[argumentos] if origen in (types.UnionType, typing.Union) else origen[argumentos]  # noqa: UP007 - se arma en ejecución
