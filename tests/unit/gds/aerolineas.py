"""Un GDS de mentira que lleva cuentas y falla como se le diga."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from aeroalpes.modulos.gds.dominio.objetos_valor import Tramo
from aeroalpes.modulos.gds.infraestructura.anticorrupcion.ajeno import Respuesta, Transaccion

RESERVA = UUID("018f0000-0000-7000-8000-00000000000a")
HOY = datetime(2022, 11, 22, 13, 10, tzinfo=UTC)
TRAMO = Tramo("BOG", "JFK", HOY, datetime(2022, 11, 22, 19, 5, tzinfo=UTC))

Humor = Literal["bien", "lleno", "calla", "vende y calla", "cae", "delira"]


class HostFalso:
    """Implementa `Host`; `ventas` son las referencias que tienen plazas."""

    def __init__(self, humor: Humor = "bien") -> None:
        self.humor: Humor = humor
        self.ventas: set[str] = set()
        self.recibidas: list[Transaccion] = []

    async def transmitir(self, transaccion: Transaccion) -> Respuesta:
        self.recibidas.append(transaccion)
        if self.humor == "cae":
            raise ConnectionResetError("se cortó")
        if self.humor == "calla":
            await asyncio.Event().wait()
        if transaccion["TRX"] == "XX":
            self.ventas.discard(transaccion["XREF"])
        elif self.humor != "lleno":
            self.ventas.add(transaccion["XREF"])
        if self.humor == "vende y calla":
            await asyncio.Event().wait()
        if self.humor == "delira":
            ilegible: Any = {"RC": "??"}
            return ilegible
        codigo = "XK" if transaccion["TRX"] == "XX" else "UC" if self.humor == "lleno" else "HK"
        return {"RC": codigo, "RLOC": "X7K2PQ", "TXT": "NO SEATS"}
