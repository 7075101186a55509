"""Lo que sólo se puede pedir a Pulsar por HTTP: sus tópicos y cuánto conserva."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from http.client import HTTPException
from typing import Any

import structlog

from seedwork.infraestructura.brokers import BrokerNoDisponible
from seedwork.infraestructura.brokers.pulsar.direccion import Direccion

_log = structlog.get_logger(__name__)

RETENCION_MIN = 7 * 24 * 60
EXPLORACION_S = 1.0  # cada cuánto se buscan tópicos nuevos para un comodín
_PLAZO_S = 5.0


class Administracion:
    """La API de administración de un namespace."""

    def __init__(self, direccion: Direccion) -> None:
        self._direccion = direccion
        self._raiz = f"{direccion.admin}/admin/v2"
        self._retencion_vista = False

    async def topicos(self) -> list[str]:
        """Los nombres de los tópicos que hay; `BrokerNoDisponible` si no contesta."""
        try:
            completos = await asyncio.to_thread(self._pedir, f"persistent/{self._direccion.espacio}")
        except (OSError, HTTPException, ValueError) as error:
            raise BrokerNoDisponible(
                f"La administración de Pulsar ({self._direccion.admin}) no responde, y sin ella no se sabe qué tópicos"
                f" hay; se dice con ?admin=http://host:puerto: {error}"
            ) from error
        return sorted({self._direccion.nombre(completo) for completo in completos})

    async def conservar(self) -> None:
        """Una vez: si el namespace no dice cuánto conserva, que conserve una semana; sin permiso, lo advierte."""
        if self._retencion_vista:
            return
        self._retencion_vista = True
        ruta = f"namespaces/{self._direccion.espacio}/retention"
        try:
            if not await asyncio.to_thread(self._pedir, ruta):
                politica = {"retentionTimeInMinutes": RETENCION_MIN, "retentionSizeInMB": -1}
                await asyncio.to_thread(self._pedir, ruta, politica)
        except (OSError, HTTPException, ValueError) as error:
            _log.warning(
                "broker.retencion_ajena",
                admin=self._direccion.admin,
                error=str(error),
                consecuencia="una suscripción nueva sólo verá lo que Pulsar conserve",
            )

    def _pedir(self, ruta: str, cuerpo: dict[str, int] | None = None) -> Any:
        peticion = urllib.request.Request(  # noqa: S310 - la URL es de la configuración y empieza por http
            f"{self._raiz}/{ruta}",
            data=None if cuerpo is None else json.dumps(cuerpo).encode(),
            headers={"Content-Type": "application/json"},
            method="GET" if cuerpo is None else "POST",
        )
        with urllib.request.urlopen(peticion, timeout=_PLAZO_S) as respuesta:  # noqa: S310
            texto = respuesta.read()
        return json.loads(texto) if texto else None
