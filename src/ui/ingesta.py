"""Lee la fuente de eventos mientras viva el proceso y la reabre cuando falla."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

import structlog

Fuente = Callable[[], AsyncIterator[dict[str, Any]]]


class Destino(Protocol):
    """A donde va cada evento leído."""

    def publicar(self, evento: Mapping[str, Any]) -> object: ...


ASENTAMIENTO_S = 1.0
"""Una fuente que lleva este tiempo abierta sin fallar se da por buena aunque no haya traído nada."""
ESPERA_INICIAL_S = 0.2
ESPERA_MAXIMA_S = 10.0
EVENTOS_POR_TURNO = 100

_registro = structlog.get_logger(__name__)


class Ingesta:
    """Pasa de la fuente al reparto. La fuente puede repetir eventos al reabrirse: el reparto los reconoce."""

    def __init__(
        self,
        fuente: Fuente,
        destino: Destino,
        espera_s: float = ESPERA_INICIAL_S,
        asentamiento_s: float = ASENTAMIENTO_S,
    ) -> None:
        self._fuente = fuente
        self._destino = destino
        self._espera_inicial_s = espera_s
        self._asentamiento_s = asentamiento_s
        self._abierta_en: float | None = None
        self._ha_traido = False
        self._motivo = "la fuente de eventos está arrancando"

    @property
    def problema(self) -> str | None:
        """Por qué no se están leyendo eventos, en una frase; None si todo va bien."""
        if self._ha_traido or (self._abierta_en is not None and self._asentada):
            return None
        return self._motivo

    @property
    def _asentada(self) -> bool:
        return self._abierta_en is not None and time.monotonic() - self._abierta_en >= self._asentamiento_s

    async def correr(self) -> None:
        """No vuelve: termina sólo al cancelarse, y entonces cierra la fuente."""
        espera_s = self._espera_inicial_s
        while True:
            self._abierta_en = time.monotonic()
            try:
                await self._leer()
                self._motivo = "la fuente de eventos terminó"
            except Exception as error:  # noqa: BLE001  (sea lo que sea, se dice en /readyz y se reintenta)
                motivo = f"la fuente de eventos falló: {str(error) or type(error).__name__}"
                # La traza, sólo cuando cambia el motivo: durante una caída larga sería la misma cada pocos segundos.
                _registro.warning("fuente_caida", motivo=motivo, exc_info=error if motivo != self._motivo else None)
                self._motivo = motivo
            if self._ha_traido or self._asentada:
                espera_s = self._espera_inicial_s
            self._abierta_en, self._ha_traido = None, False
            await asyncio.sleep(espera_s)
            espera_s = min(espera_s * 2, ESPERA_MAXIMA_S)

    async def _leer(self) -> None:
        eventos = self._fuente()
        try:
            leidos = 0
            async for evento in eventos:
                self._ha_traido = True
                self._destino.publicar(evento)
                leidos += 1
                if leidos % EVENTOS_POR_TURNO == 0:
                    await asyncio.sleep(0)
        finally:
            cerrar = getattr(eventos, "aclose", None)
            if cerrar is not None:
                await cerrar()
