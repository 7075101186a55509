"""El temporizador de las sagas: sus plazos están en la base, y cualquier trabajador mueve las que vencen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy import Row, bindparam, select, update

from seedwork.infraestructura.base_datos import de_lectura
from seedwork.infraestructura.inquilinos import en_nombre_de
from seedwork.infraestructura.sagas.demoras import esperas_ms
from seedwork.infraestructura.sagas.registro import SagasSQLAlchemy
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.sistema import Sistema
from seedwork.infraestructura.tablas import sagas

SONDEO_S = 0.5
LOTE = 100
ARRANQUE_S = 2.0  # lo que esperaba en el broker a que alguien volviera se atiende antes que los plazos
_APLAZO_MS = 5000
_PAUSA_S = 2.0
_log = structlog.get_logger(__name__)
_CUAL = ("inquilino", "saga", "clave", "vence_ms")
_VENCIDAS = (
    select(*(sagas.c[nombre] for nombre in (*_CUAL, "definicion", "estado", "pasos", "actualizada_ms")))
    .where(sagas.c.vence_ms <= bindparam("ahora_ms"))
    .order_by(sagas.c.vence_ms)
    .limit(LOTE)
)
_APLAZAR = (
    update(sagas)
    .where(*(sagas.c[nombre] == bindparam(f"de_{nombre}") for nombre in _CUAL))
    .values(vence_ms=bindparam("hasta_ms"))
)


class Temporizador:
    """Mira cada medio segundo qué sagas vencieron y las mueve, cada una en su transacción.

    Puede haber uno por trabajador: quien encuentra una saga tomada la deja, y la que ya se movió no vence otra vez. La
    que no se puede mover se registra y se aparta unos segundos, sin retener a las demás.

    A la que espera lo que a otras se les está respondiendo tarde se la deja esperar más (`demoras.py`).
    """

    def __init__(self, sistema: Sistema) -> None:
        self._sistema = sistema
        self._parado = asyncio.Event()

    async def correr(self) -> None:
        """Mueve lo que venza hasta que alguien llame a `parar`; no termina por ningún error."""
        await self._reposar(ARRANQUE_S)
        while not self._parado.is_set():
            try:
                lleno = await asyncio.to_thread(self.vuelta) >= LOTE
                espera_s = 0.0 if lleno else SONDEO_S
            except Exception as error:  # noqa: BLE001 - los plazos siguen en la base
                _log.warning("temporizador.fallo", error=str(error))
                espera_s = _PAUSA_S
            await self._reposar(espera_s)

    async def _reposar(self, espera_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(espera_s):
                await self._parado.wait()

    def parar(self) -> None:
        """Termina la vuelta en curso y no empieza otra."""
        self._parado.set()

    def vuelta(self) -> int:
        """Mueve un lote de las vencidas y dice cuántas encontró."""
        assert self._sistema.motor is not None  # noqa: S101 - sin base no hay sagas
        ahora = ahora_ms()
        with de_lectura(self._sistema.motor).connect() as conexion:
            vencidas = conexion.execute(_VENCIDAS, {"ahora_ms": ahora}).all()
            esperas = esperas_ms(conexion, self._sistema.sagas, vencidas, ahora)
        miradas = list(zip(vencidas, esperas, strict=True))
        self._aplazar((vencida, ahora + espera) for vencida, espera in miradas if espera > 0)
        for vencida in [vencida for vencida, espera in miradas if espera <= 0]:
            if self._parado.is_set():
                break
            try:
                self._mover(vencida)
            except Exception:  # noqa: BLE001 - una que no se puede mover no detiene a las demás
                _log.exception("temporizador.saga_aplazada", saga=vencida.saga, clave=vencida.clave)
                self._aplazar([(vencida, ahora_ms() + _APLAZO_MS)])
        return len(vencidas)

    def _mover(self, vencida: Row[Any]) -> None:
        with en_nombre_de(schema=vencida.inquilino or None):
            self._sistema.en_transaccion(lambda t: t.ambito.get(SagasSQLAlchemy).vencer(vencida.saga, vencida.clave))

    def _aplazar(self, hasta: Iterable[tuple[Row[Any], int]]) -> None:
        filas = [
            {**{f"de_{nombre}": getattr(vencida, nombre) for nombre in _CUAL}, "hasta_ms": hasta_ms}
            for vencida, hasta_ms in hasta
        ]
        if filas:
            assert self._sistema.motor is not None  # noqa: S101 - sin base no hay sagas
            with self._sistema.motor.begin() as conexion:
                conexion.execute(_APLAZAR, filas)
