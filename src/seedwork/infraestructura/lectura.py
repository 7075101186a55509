"""Leer un mensaje, aunque lo escribiera una versión que sólo conoce el registro de esquemas del broker."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import fastavro

from seedwork.infraestructura.avro_seguro import EsquemaInvalido, parsear
from seedwork.infraestructura.brokers import Broker, BrokerConEsquemas, Mensaje, RegistroEsquemas
from seedwork.infraestructura.codificacion import MensajeInvalido, a_json, decodificar, es_avro, huella_escrita
from seedwork.infraestructura.esquemas import EsquemaDesconocido, esquema_de


async def leer(mensaje: Mensaje, tipo: Any, esquemas: RegistroEsquemas | None) -> Any:
    """El contenido como `tipo`; los errores, los de `decodificar`.

    Un esquema que aquí no se conoce se le pide a `esquemas`, si el broker tiene registro.
    """
    try:
        return decodificar(mensaje, tipo)
    except EsquemaDesconocido as error:
        avro = None if esquemas is None else await esquemas.buscar(mensaje.topico, error.huella)
        if avro is None:
            raise
    try:
        esquema_de(tipo).admitir(avro)
    except EsquemaInvalido as error:
        raise MensajeInvalido(str(error)) from error
    return decodificar(mensaje, tipo)


async def abrir(mensaje: Mensaje, tipos: Iterable[type], broker: Broker) -> dict[str, Any] | None:
    """Lo que dice un mensaje en Avro, como JSON, para enseñarlo: leído con su esquema y sin exigirle nada más.

    El esquema es uno de los que conocen `tipos` o, si no, el que tenga el registro del broker. None si no lo tiene
    nadie, si los bytes no son eso o si no es Avro.
    """
    huella = huella_escrita(mensaje)
    if huella is None or not es_avro(mensaje, dict):
        return None
    try:
        escritores = [escritor for tipo in tipos if (escritor := esquema_de(tipo).escritores.get(huella)) is not None]
        if not escritores and isinstance(broker, BrokerConEsquemas):
            avro = await broker.esquemas.buscar(mensaje.topico, huella)
            escritores = [] if avro is None else [parsear(avro)]
        if not escritores:
            return None
        entrada = io.BytesIO(mensaje.cuerpo)
        datos: dict[str, Any] = json.loads(a_json(fastavro.schemaless_reader(entrada, escritores[0], None)))
    except Exception:  # noqa: BLE001 - bytes de cualquiera: fastavro lanza de todo, y enseñarlos no puede fallar
        return None
    return None if entrada.read(1) else datos
