"""Una letra muerta tal como la ve quien tiene que decidir sobre ella."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from seedwork.infraestructura.brokers import Broker, LetraMuerta
from seedwork.infraestructura.codificacion import rfc3339
from seedwork.infraestructura.lectura import abrir
from seedwork.infraestructura.mensajeria import Mensajeria


def resumen(letra: LetraMuerta) -> dict[str, Any]:
    """De quién es, qué le pasó y cuándo, sin el contenido."""
    return {
        "id": letra.id,
        "suscripcion": letra.suscripcion,
        "topico": letra.mensaje.topico,
        "clave": letra.mensaje.clave,
        "motivo": letra.motivo,
        "intentos": letra.intentos,
        "fecha": rfc3339(datetime.fromtimestamp(letra.fecha_ms / 1000, UTC)),
    }


async def entera(letra: LetraMuerta, mensajeria: Mensajeria, broker: Broker) -> dict[str, Any]:
    """El resumen, las cabeceras y el cuerpo intacto: en `cuerpo` si es texto, y si no en `cuerpo_base64`.

    Si es Avro y `mensajeria` o el registro del broker conocen su esquema, además lo que dice, en `datos`.
    """
    datos = await abrir(letra.mensaje, mensajeria.registros, broker)
    return {
        **resumen(letra),
        "cabeceras": dict(letra.mensaje.cabeceras),
        **({} if datos is None else {"datos": datos}),
        **_cuerpo(letra.mensaje.cuerpo),
    }


def _cuerpo(cuerpo: bytes) -> dict[str, str]:
    try:
        return {"cuerpo": cuerpo.decode()}
    except UnicodeDecodeError:
        return {"cuerpo_base64": base64.b64encode(cuerpo).decode()}
