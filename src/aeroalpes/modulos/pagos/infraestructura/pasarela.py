"""La pasarela de pagos simulada: decide por la ficha y no recuerda nada, así que repetir da siempre lo mismo."""

from __future__ import annotations

import asyncio

from aeroalpes.modulos.pagos.aplicacion.puertos import Aceptado, Cargo, PasarelaSinRespuesta, Rechazado

RECHAZADO, LENTO = "tok_rechazado", "tok_lento"
PLAZO_S = 5.0


class PasarelaSimulada:
    """Implementa `PasarelaPagos`: rechaza `tok_rechazado`, no responde nunca a `tok_lento` y acepta lo demás."""

    def __init__(self, plazo_s: float = PLAZO_S) -> None:
        self._plazo_s = plazo_s

    async def cobrar(self, cargo: Cargo) -> Aceptado | Rechazado:
        try:
            async with asyncio.timeout(self._plazo_s):
                return await _cobrar(cargo)
        except TimeoutError as error:
            raise PasarelaSinRespuesta(f"La pasarela no respondió en {self._plazo_s:g} s") from error

    async def devolver(self, cargo: Cargo) -> int:
        return 0 if cargo.medio in (RECHAZADO, LENTO) else cargo.monto


async def _cobrar(cargo: Cargo) -> Aceptado | Rechazado:
    if cargo.medio == LENTO:
        await asyncio.Event().wait()
    return Rechazado("El banco rechazó el cobro") if cargo.medio == RECHAZADO else Aceptado(f"sim-{cargo.clave}")
