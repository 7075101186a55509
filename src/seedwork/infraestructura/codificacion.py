"""De un objeto a un `Mensaje` y de vuelta: Avro para dataclasses con sobre, JSON para lo demás, CloudEvents siempre."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from seedwork.aplicacion.firmas import ErrorDeArranque, nombre_de
from seedwork.dominio.eventos import ahora, nuevo_id
from seedwork.infraestructura.brokers import TOPICO_MAXIMO, Mensaje
from seedwork.infraestructura.esquemas import EsquemaDesconocido, esquema_de
from seedwork.infraestructura.schema.v1.mensajes import MensajeIntegracion

AVRO, JSON = "application/avro", "application/json"
_URN = "urn:avro:"
_ESCRITOR = re.compile(rf"{_URN}([\w.]+):[0-9a-f]{{64}}")


class MensajeInvalido(Exception):
    """El mensaje no se puede leer como lo que se esperaba: no lo arreglará volver a intentarlo."""


@dataclass(frozen=True, kw_only=True)
class Evento:
    """El sobre JSON de un evento: quién lo publicó, cuándo y con qué datos."""

    name: str
    data: dict[str, Any]
    timestamp: datetime
    source: str


def codificar(
    mensaje: object,
    *,
    topico: str,
    servicio: str,
    clave: str | None = None,
    id: str | None = None,
    tipo: str | None = None,
    fecha: datetime | None = None,
    cabeceras: Mapping[str, str] | None = None,
) -> Mensaje:
    """Un `Mensaje` listo para publicar. Lo que no se dé se toma del sobre del mensaje, si lo tiene."""
    if isinstance(mensaje, MensajeIntegracion):
        id, tipo, servicio = id or mensaje.id, tipo or mensaje.type, mensaje.service_name
        fecha = fecha or datetime.fromtimestamp(mensaje.time / 1000, UTC)
        propias = {"ingestion": rfc3339(datetime.fromtimestamp(mensaje.ingestion / 1000, UTC))}
        clase: Any = type(mensaje)
        esquema = esquema_de(clase)
        cuerpo, formato = esquema.codificar(mensaje), AVRO
        propias["dataschema"] = f"{_URN}{esquema.avro['namespace']}.{esquema.avro['name']}:{esquema.huella}"
    else:
        cuerpo, formato, propias = a_json(mensaje), JSON, {}
    return Mensaje(
        topico=topico,
        cuerpo=cuerpo,
        clave=clave,
        cabeceras={
            "specversion": "1.0",
            "id": id or str(nuevo_id()),
            "source": servicio,
            "type": tipo or topico,
            "time": rfc3339(fecha or ahora()),
            "datacontenttype": formato,
            **({"subject": clave, "partitionkey": clave} if clave is not None else {}),
            **propias,
            **(cabeceras or {}),
        },
    )


def codificar_evento(
    nombre: str,
    datos: Any,
    *,
    servicio: str,
    topico: str | None = None,
    clave: str | None = None,
    id: str | None = None,
) -> Mensaje:
    """El `Mensaje` de un evento suelto, con el sobre `name, data, timestamp, source` en JSON."""
    fecha = ahora()
    evento = {"name": nombre, "data": datos, "timestamp": rfc3339(fecha), "source": servicio}
    return codificar(evento, topico=topico or nombre, servicio=servicio, clave=clave, tipo=nombre, fecha=fecha, id=id)


def decodificar(mensaje: Mensaje, tipo: Any) -> Any:
    """El contenido como `tipo`: dataclass (Avro o JSON), modelo pydantic, `dict`, `Evento` o el propio `Mensaje`.

    Lanza `MensajeInvalido` si no se puede, con la causa en la frase; `EsquemaDesconocido` si aún no se puede, porque lo
    escribió otra versión de ese registro que aquí no se conoce.
    """
    if tipo is Mensaje:
        return mensaje
    try:
        if es_avro(mensaje, tipo):
            if not _tiene_sobre(tipo):
                raise ValueError("viene en Avro y ese tipo se lee de JSON")
            return esquema_de(tipo).decodificar(mensaje.cuerpo, huella_escrita(mensaje))
        return _leer_json(mensaje, tipo)
    except EsquemaDesconocido as error:
        escritor = _ESCRITOR.fullmatch(mensaje.cabeceras["dataschema"])
        if escritor is not None and esquema_de(tipo).es_version(escritor[1]):
            raise
        raise MensajeInvalido(f"No es un {tipo.__name__}: {error}") from error
    except (ValidationError, ValueError, RecursionError) as error:
        raise MensajeInvalido(f"No es un {getattr(tipo, '__name__', tipo)} válido: {error}") from error


def huella_escrita(mensaje: Mensaje) -> str | None:
    """La del esquema Avro con que dice estar escrito, si lo dice."""
    return mensaje.cabeceras.get("dataschema", "").rpartition(":")[2] or None


def es_avro(mensaje: Mensaje, tipo: Any) -> bool:
    """Si hay que leerlo como Avro; sin cabecera, un registro con sobre no puede empezar por `{` y un JSON sí."""
    formato = mensaje.cabeceras.get("datacontenttype")
    if formato is not None:
        return formato.partition(";")[0].strip().lower() == AVRO
    return _tiene_sobre(tipo) and mensaje.cuerpo[:1] != b"{"


def exigir_legible(tipo: Any) -> None:
    """Lanza `ErrorDeArranque` si de ese tipo no se sabría leer ningún mensaje."""
    if tipo is Mensaje:
        return
    if _tiene_sobre(tipo):
        esquema_de(tipo)
    try:
        _adaptador(tipo)
    except (PydanticUserError, TypeError) as error:
        raise ErrorDeArranque(f"{nombre_de(tipo)} no se puede leer de un mensaje: {error}") from error


def nombre_de_evento(mensaje: Mensaje) -> str:
    """El nombre con que se anunció: el `type` de CloudEvents o, si es ajeno y no lo trae, el del sobre o el tópico."""
    declarado: Any = mensaje.cabeceras.get("type")
    if declarado is None and mensaje.cuerpo[:1] == b"{":
        try:
            datos = json.loads(mensaje.cuerpo)
        except (ValueError, RecursionError):
            return mensaje.topico
        declarado = datos.get("name") if _es_sobre(datos) else None
    # Un nombre desmesurado no es de nadie, y compararlo con los patrones costaría.
    valido = isinstance(declarado, str) and 0 < len(declarado) <= TOPICO_MAXIMO
    return declarado if valido else mensaje.topico


def identidad(mensaje: Mensaje, contenido: Any) -> str | None:
    """El id por el que se reconoce una repetición: el de CloudEvents o, si es ajeno y no lo trae, el de su sobre."""
    return mensaje.cabeceras.get("id") or (contenido.id if isinstance(contenido, MensajeIntegracion) else None)


def rfc3339(fecha: datetime) -> str:
    """`2026-02-01T12:00:00.000Z`: en UTC y con milisegundos."""
    return fecha.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def a_json(valor: Any) -> bytes:
    """JSON en UTF-8 de un dict, dataclass, modelo pydantic o lo que haya dentro de ellos."""
    return _adaptador(Any).dump_json(valor)


def _leer_json(mensaje: Mensaje, tipo: Any) -> Any:
    datos = _adaptador(Any).validate_json(mensaje.cuerpo)
    if _es_sobre(datos):
        if tipo is Evento:
            return _adaptador(Evento).validate_python(datos)
        datos = datos["data"]
    elif tipo is Evento:
        return _adaptador(Evento).validate_python(
            {
                "name": nombre_de_evento(mensaje),
                "data": datos,
                "timestamp": mensaje.cabeceras.get("time") or ahora(),
                "source": mensaje.cabeceras.get("source", ""),
            }
        )
    # De vuelta por JSON: un UUID o una fecha llegaron como texto, y así se validan aunque el modelo sea estricto.
    return _adaptador(tipo).validate_json(json.dumps(datos))


def _tiene_sobre(tipo: Any) -> bool:
    return isinstance(tipo, type) and is_dataclass(tipo) and issubclass(tipo, MensajeIntegracion)


def _es_sobre(datos: Any) -> bool:
    return isinstance(datos, dict) and datos.keys() >= {"name", "data", "timestamp", "source"}


@cache
def _adaptador(tipo: Any) -> TypeAdapter[Any]:
    return TypeAdapter(tipo)
