"""El GDS tal como es: su forma de hablar, que no decidimos nosotros y que no sale de este paquete."""

from __future__ import annotations

from typing import Protocol, TypedDict


class Segmento(TypedDict):
    """Salida (`DPT`) y llegada (`ARV`): aeropuerto, fecha y hora local de ese aeropuerto."""

    DPT: str
    DDT: str
    DTM: str
    ARV: str
    ADT: str
    ATM: str


class Transaccion(TypedDict):
    """`TRX` es `SELL` (vender) o `XX` (cancelar); `XREF`, la referencia de la agencia: repetida, es la misma orden."""

    TRX: str
    XREF: str
    SEG: list[Segmento]


class Respuesta(TypedDict):
    """`RC` es `HK` (confirmado), `UC` (no se puede confirmar) o `XK` (cancelado); `RLOC`, el localizador."""

    RC: str
    RLOC: str
    TXT: str


class Host(Protocol):
    """La conexión con el GDS: tarda lo que quiere, o no contesta."""

    async def transmitir(self, transaccion: Transaccion) -> Respuesta:
        """Lanza `OSError` si la conexión falla."""
        ...
