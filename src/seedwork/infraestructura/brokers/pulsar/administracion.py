"""Lo que sólo se puede pedir a Pulsar por HTTP: que conserve lo publicado."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import urllib.request
from http.client import HTTPException
from typing import Any

import structlog

from seedwork.infraestructura.brokers.pulsar.direccion import Direccion

_log = structlog.get_logger(__name__)

RETENCION_MIN = 7 * 24 * 60
_PLAZO_S = 5.0


async def conservar(direccion: Direccion) -> None:
    """Si el namespace no dice cuánto conserva, que conserve una semana; si no se puede, lo advierte."""
    try:
        if not await asyncio.to_thread(_pedir, direccion):
            politica = {"retentionTimeInMinutes": RETENCION_MIN, "retentionSizeInMB": -1}
            await asyncio.to_thread(_pedir, direccion, politica)
    except (OSError, HTTPException, ValueError) as error:
        _log.warning(
            "broker.retencion_ajena",
            admin=direccion.admin,
            error=str(error),
            consecuencia="una suscripción nueva sólo verá lo que Pulsar conserve",
        )


def _pedir(direccion: Direccion, cuerpo: dict[str, int] | None = None) -> Any:
    peticion = urllib.request.Request(  # noqa: S310 - la URL es de la configuración y empieza por http
        f"{direccion.admin}/admin/v2/namespaces/{direccion.espacio}/retention",
        data=None if cuerpo is None else json.dumps(cuerpo).encode(),
        headers={"Content-Type": "application/json", **_acceso(direccion)},
        method="GET" if cuerpo is None else "POST",
    )
    tls = ssl.create_default_context(cafile=direccion.ca) if direccion.admin.startswith("https") else None
    with urllib.request.urlopen(peticion, timeout=_PLAZO_S, context=tls) as respuesta:  # noqa: S310
        texto = respuesta.read()
    return json.loads(texto) if texto else None


def _acceso(direccion: Direccion) -> dict[str, str]:
    if direccion.acceso is None:
        return {}
    metodo, secreto = direccion.acceso
    if metodo == "token":
        return {"Authorization": f"Bearer {secreto}"}
    return {"Authorization": f"Basic {base64.b64encode(secreto.encode()).decode()}"}
