"""Avro desde dataclasses: el esquema se deriva del tipo, se publica en un `.avsc` a su lado, y manda al leer.

Se lee sólo lo escrito con un esquema conocido (por su huella): el propio, uno de los `.avsc` que publicó ese registro
en cualquiera de las versiones de su contrato, o uno que se admitió después. De una versión a otra sólo cambia el final
del espacio de nombres, y Avro empareja los registros por el nombre sin él.
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
from fastavro.schema import to_parsing_canonical_form
from pydantic import TypeAdapter

from seedwork.aplicacion.firmas import nombre_de
from seedwork.infraestructura.avro_seguro import EsquemaInvalido, parsear
from seedwork.infraestructura.schema.v1.mensajes import MensajeIntegracion

_VERSION = re.compile(r"v(\d+)")


class EsquemaDesconocido(Exception):
    """Un mensaje está escrito con un esquema, el de `huella`, que aquí no se conoce todavía."""

    def __init__(self, nombre: str, huella: str) -> None:
        super().__init__(f"El esquema {huella} de {nombre} no está publicado aquí")
        self.huella = huella


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
            raise EsquemaDesconocido(self.avro["name"], huella)
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

    def es_version(self, nombre: str) -> bool:
        """Si `contexto.vN.Nombre` es este registro en alguna de las versiones de su contrato."""
        espacio, _, propio = nombre.rpartition(".")
        return _registro_de({"namespace": espacio, "name": propio}) == _registro_de(self.avro)

    def admitir(self, avro: dict[str, Any]) -> None:
        """Desde ahora se lee lo escrito con `avro`; `EsquemaInvalido` si es de otro registro o peligroso de leer."""
        if _registro_de(avro) != _registro_de(self.avro):
            raise EsquemaInvalido(f"{_nombre_completo(avro)} no es una versión de {_nombre_completo(self.avro)}")
        self.escritores.setdefault(huella_de(avro), parsear(avro))


@cache
def esquema_de(tipo: type) -> Esquema:
    """El esquema de una dataclass; lanza `EsquemaInvalido` si no se puede derivar o sería peligroso leerlo."""
    try:
        avro = _derivar(tipo, {}).avro_schema_to_python()
    except (ValueError, TypeError, NameError) as error:
        raise EsquemaInvalido(f"{nombre_de(tipo)} no se puede describir en Avro: {error}") from error
    avro = {"type": "record", "name": tipo.__name__, "namespace": espacio_de(tipo), **avro}
    esquema = Esquema(tipo, avro, huella_de(avro), {huella_de(avro): parsear(avro)}, TypeAdapter(tipo))
    for ruta in revisiones_publicadas(tipo):
        esquema.admitir(_leer(ruta))
    return esquema


def registros_en(modulo: types.ModuleType) -> list[type]:
    """Los mensajes de integración que declara un módulo de Python."""
    propios = [o for o in vars(modulo).values() if isinstance(o, type) and o.__module__ == modulo.__name__]
    return [tipo for tipo in propios if issubclass(tipo, MensajeIntegracion)]


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


def revisiones_publicadas(tipo: type) -> list[Path]:
    """Los `.avsc` de un registro en todas las versiones de su contrato, del más viejo al más nuevo."""
    carpeta = ruta_publicada(tipo).parent
    if not _VERSION.fullmatch(carpeta.name):
        return revisiones_en(carpeta, tipo.__name__)
    versiones = sorted((int(v.group(1)), c) for c in carpeta.parent.iterdir() if (v := _VERSION.fullmatch(c.name)))
    return [ruta for _, version in versiones for ruta in revisiones_en(version, tipo.__name__)]


def revisiones_en(carpeta: Path, nombre: str) -> list[Path]:
    """Las de una versión: `Nombre.1.avsc`, `Nombre.2.avsc`... y, al final, la vigente, `Nombre.avsc`."""
    vigente = carpeta / f"{nombre}.avsc"
    numeradas = [
        (int(numero.group(1)), ruta)
        for ruta in carpeta.glob(f"{nombre}.*.avsc")
        if (numero := re.fullmatch(rf"{nombre}\.(\d+)", ruta.stem))
    ]
    return [ruta for _, ruta in sorted(numeradas)] + ([vigente] if vigente.exists() else [])


def _leer(ruta: Path) -> dict[str, Any]:
    try:
        avro: dict[str, Any] = json.loads(ruta.read_text("utf-8"))
        _registro_de(avro)
    except (ValueError, KeyError, TypeError) as error:
        raise EsquemaInvalido(f"{ruta} no es un esquema de registro: {error!r}") from error
    return avro


def _registro_de(avro: dict[str, Any]) -> tuple[str, str]:
    """El contexto y el nombre: lo que no cambia de una versión a otra."""
    return re.sub(r"\.v\d+$", "", avro.get("namespace", "")), avro["name"]


def _nombre_completo(avro: dict[str, Any]) -> str:
    return f"{avro.get('namespace', '')}.{avro['name']}".lstrip(".")


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
