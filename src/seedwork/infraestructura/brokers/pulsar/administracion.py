"""Lo que sólo se puede pedir a Pulsar por HTTP; de aquí, que conserve lo publicado."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

import structlog

from seedwork.infraestructura.brokers.pulsar.direccion import Direccion

_log = structlog.get_logger(__name__)

RETENCION_MIN = 7 * 24 * 60
_PLAZO_S = 5.0


async def conservar(direccion: Direccion) -> None:
    """Si el namespace no dice cuánto conserva, que conserve una semana; si no se puede, lo advierte."""
    try:
        ruta = f"namespaces/{direccion.espacio}/retention"
        if not await asyncio.to_thread(pedir, direccion, "GET", ruta):
            politica = {"retentionTimeInMinutes": RETENCION_MIN, "retentionSizeInMB": -1}
            await asyncio.to_thread(pedir, direccion, "POST", ruta, politica)
    except (OSError, HTTPException, ValueError) as error:
        _log.warning(
            "broker.retencion_ajena",
            admin=direccion.admin,
            error=str(error),
            consecuencia="una suscripción nueva sólo verá lo que Pulsar conserve",
        )


def pedir(direccion: Direccion, metodo: str, ruta: str, cuerpo: Any = None) -> Any:
    """Lo que responde `/admin/v2/<ruta>`, o None si no dice nada; lanza `OSError`, `HTTPException` o `ValueError`."""
    peticion = urllib.request.Request(  # noqa: S310 - la URL es de la configuración y empieza por http
        f"{direccion.admin}/admin/v2/{ruta}",
        data=None if cuerpo is None else json.dumps(cuerpo).encode(),
        headers={"Content-Type": "application/json", **_acceso(direccion)},
        method=metodo,
    )
    tls = ssl.create_default_context(cafile=direccion.ca) if direccion.admin.startswith("https") else None
    with urllib.request.urlopen(peticion, timeout=_PLAZO_S, context=tls) as respuesta:  # noqa: S310
        texto = respuesta.read()
    return json.loads(texto) if texto else None


def crear_topico(direccion: Direccion, topico: str) -> None:
    """Lo crea con las particiones que diga la URL; si ya está, nada. Lanza lo mismo que `pedir`.

    `topico` es una ruta: `persistent/<inquilino>/<espacio>/<nombre>`.
    """
    try:
        if direccion.particiones > 1:
            pedir(direccion, "PUT", f"{topico}/partitions", direccion.particiones)
        else:
            pedir(direccion, "PUT", topico)
    except HTTPError as error:
        if error.code != HTTPStatus.CONFLICT:
            raise


def _acceso(direccion: Direccion) -> dict[str, str]:
    if direccion.acceso is None:
        return {}
    metodo, secreto = direccion.acceso
    if metodo == "token":
        return {"Authorization": f"Bearer {secreto}"}
    return {"Authorization": f"Basic {base64.b64encode(secreto.encode()).decode()}"}
