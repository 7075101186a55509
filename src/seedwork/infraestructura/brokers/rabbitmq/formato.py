"""De un `Mensaje` a uno de AMQP y de vuelta: CloudEvents en modo binario, y lo nuestro en cabeceras `seedwork_`."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from seedwork.infraestructura.brokers import Mensaje, MensajeNoPublicable, validar

TAMANO_MAXIMO = 5 * 1024 * 1024
_CABECERAS_MAXIMO = 64 * 1024  # han de caber, con lo que se les añade al apartarlas, en un solo frame de 128 KiB
_NOMBRE_MAXIMO = 255  # lo que admite AMQP en un nombre de cabecera
_PREFIJO, _OTRO_PREFIJO = "cloudEvents_", "cloudEvents:"
_TIPO = "datacontenttype"

CLAVE = "seedwork_clave"
FECHA = "seedwork_ms"
TOPICO = "seedwork_topico"  # el de verdad, cuando la routing key es el nombre de una cola
INTENTOS = "seedwork_intentos"
MOTIVO = "seedwork_motivo"
LETRA = "seedwork_letra"
APARTADA = "seedwork_apartada_ms"
MARCA = "seedwork_marca"
REPARTO = "seedwork_reparto"
_PROPIAS = "seedwork_"
# Las pone RabbitMQ por el camino.
_DEL_BROKER = ("x-death", "x-delivery-count", "x-first-death-", "x-last-death-", "x-stream-offset")


def ahora_ms() -> int:
    return time.time_ns() // 1_000_000


def validar_amqp(mensaje: Mensaje) -> None:
    """Además de lo común: que las cabeceras quepan en un frame, y sus nombres en lo que admite AMQP."""
    validar(mensaje, TAMANO_MAXIMO)
    total = len((mensaje.clave or "").encode())
    for nombre, valor in mensaje.cabeceras.items():
        largo = len(nombre.encode())
        total += largo + len(valor.encode()) + len(_PREFIJO) + 5
        if largo > _NOMBRE_MAXIMO - len(_PREFIJO):
            raise MensajeNoPublicable(mensaje, f"El nombre de la cabecera {nombre[:40]!r}... es demasiado largo")
    if total > _CABECERAS_MAXIMO:
        raise MensajeNoPublicable(
            mensaje, f"La clave y las cabeceras miden {total} bytes y el máximo es {_CABECERAS_MAXIMO}"
        )


def a_propiedades(mensaje: Mensaje, fecha_ms: int) -> Basic.Properties:
    cabeceras: dict[str, Any] = {_PREFIJO + nombre: valor for nombre, valor in mensaje.cabeceras.items()}
    cabeceras[FECHA] = fecha_ms
    if mensaje.clave != mensaje.cabeceras.get("partitionkey"):
        cabeceras[CLAVE] = mensaje.clave
    tipo = mensaje.cabeceras.get(_TIPO)
    if tipo and len(tipo.encode()) <= _NOMBRE_MAXIMO:
        del cabeceras[_PREFIJO + _TIPO]
    else:
        tipo = None
    return Basic.Properties(headers=cabeceras, content_type=tipo, delivery_mode=2)


def a_mensaje(crudo: DeliveredMessage) -> Mensaje:
    propiedades = crudo.header.properties
    ajenas: dict[str, str] = {}
    atributos: dict[str, str] = {}
    clave: Any = None
    topico = crudo.routing_key or ""
    explicita = False
    for nombre, valor in (propiedades.headers or {}).items():
        if nombre.startswith((_PREFIJO, _OTRO_PREFIJO)):
            atributos[nombre[len(_PREFIJO) :]] = _texto(valor)
        elif nombre.startswith(_PROPIAS):
            if nombre == CLAVE:
                clave, explicita = valor, True
            elif nombre == TOPICO:
                topico = _texto(valor)
        elif not nombre.startswith(_DEL_BROKER):
            ajenas[nombre] = _texto(valor)
    if propiedades.content_type:
        atributos.setdefault(_TIPO, _texto(propiedades.content_type))
    if not explicita:
        clave = atributos.get("partitionkey")
    return Mensaje(
        topico=topico,
        cuerpo=crudo.body,
        clave=None if clave is None else _texto(clave),
        cabeceras={**ajenas, **atributos},
    )


def propia(crudo: DeliveredMessage, nombre: str, por_defecto: Any = None) -> Any:
    return (crudo.header.properties.headers or {}).get(nombre, por_defecto)


def entera(crudo: DeliveredMessage, nombre: str) -> int:
    valor = propia(crudo, nombre, 0)
    return valor if isinstance(valor, int) else 0


def huella(crudo: DeliveredMessage) -> str:
    """Lo que identifica a un mensaje dentro de su cola, también cuando vuelve a entregarse."""
    propiedades = crudo.header.properties
    cabeceras = sorted((k, repr(v)) for k, v in (propiedades.headers or {}).items() if not k.startswith(_DEL_BROKER))
    resumen = hashlib.blake2b(crudo.body, digest_size=12)
    resumen.update(repr((crudo.routing_key, propiedades.message_id, propiedades.content_type, cabeceras)).encode())
    return resumen.hexdigest()


def copia(crudo: DeliveredMessage, topico: str, **propias: Any) -> Basic.Properties:
    """Las propiedades del mensaje tal como llegó, para ponerlo en otra cola: las `seedwork_` cambian a `propias`."""
    propiedades = crudo.header.properties
    cabeceras = {
        nombre: _reenviable(valor)
        for nombre, valor in (propiedades.headers or {}).items()
        if not nombre.startswith(_DEL_BROKER) and (not nombre.startswith(_PROPIAS) or nombre in (CLAVE, FECHA))
    }
    return Basic.Properties(
        content_type=propiedades.content_type,
        content_encoding=propiedades.content_encoding,
        headers={**cabeceras, TOPICO: topico, **propias},
        delivery_mode=2,
        correlation_id=propiedades.correlation_id,
        reply_to=propiedades.reply_to,
        message_id=propiedades.message_id,
        timestamp=propiedades.timestamp,
        message_type=propiedades.message_type,
        app_id=propiedades.app_id,
    )


def publicado_ms(crudo: DeliveredMessage) -> int | None:
    """Cuándo se publicó, si lo dice quien publicó."""
    fecha = propia(crudo, FECHA)
    if isinstance(fecha, int):
        return fecha
    marca = crudo.header.properties.timestamp
    return None if marca is None else int(marca.timestamp() * 1000) + 999


def _texto(valor: Any) -> str:
    if isinstance(valor, str):
        return valor
    if isinstance(valor, bytes | bytearray):
        return bytes(valor).decode("utf-8", "replace")
    if isinstance(valor, Mapping | list | bool) or valor is None:
        return json.dumps(valor, ensure_ascii=False, default=str)
    return str(valor)


def _reenviable(valor: Any) -> Any:
    # Lo único que se lee y no se vuelve a escribir igual.
    return bytearray(valor) if isinstance(valor, bytes) else valor
