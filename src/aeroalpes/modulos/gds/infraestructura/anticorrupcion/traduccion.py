"""Entre nuestro modelo y el del GDS."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from aeroalpes.modulos.gds.aplicacion.puertos import Confirmada, SinPlazas
from aeroalpes.modulos.gds.dominio.objetos_valor import Tramo
from aeroalpes.modulos.gds.infraestructura.anticorrupcion.ajeno import Respuesta, Segmento, Transaccion
from aeroalpes.modulos.gds.infraestructura.anticorrupcion.zonas import hora_local

_MESES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


class RespuestaIlegible(Exception):
    """El GDS respondió algo que no sabemos leer."""


def a_venta(id_reserva: UUID, tramos: tuple[Tramo, ...]) -> Transaccion:
    """La orden de tomar plazas; lanza `OverflowError` si una fecha no existe en la hora de su aeropuerto."""
    return {"TRX": "SELL", "XREF": _referencia(id_reserva), "SEG": [_segmento(tramo) for tramo in tramos]}


def a_cancelacion(id_reserva: UUID) -> Transaccion:
    """La orden de soltarlas."""
    return {"TRX": "XX", "XREF": _referencia(id_reserva), "SEG": []}


def de_venta(respuesta: Respuesta) -> Confirmada | SinPlazas:
    """Lo que el GDS respondió a una venta; lanza `RespuestaIlegible`."""
    match respuesta:
        case {"RC": "HK", "RLOC": str(localizador)} if localizador:
            return Confirmada(localizador)
        case {"RC": "UC", "TXT": str(texto)}:
            return SinPlazas(f"No hay plazas ({texto})")
    raise RespuestaIlegible(f"El GDS respondió {respuesta!r} a una venta")


def exigir_cancelada(respuesta: Respuesta) -> None:
    """Lanza `RespuestaIlegible` si el GDS no dijo que canceló."""
    if respuesta.get("RC") != "XK":
        raise RespuestaIlegible(f"El GDS respondió {respuesta!r} a una cancelación")


def _referencia(id_reserva: UUID) -> str:
    return id_reserva.hex.upper()


def _segmento(tramo: Tramo) -> Segmento:
    origen, destino = tramo.origen.strip().upper(), tramo.destino.strip().upper()
    salida, llegada = hora_local(tramo.salida, origen), hora_local(tramo.llegada, destino)
    return {
        "DPT": origen,
        "DDT": _fecha(salida),
        "DTM": f"{salida.hour:02}{salida.minute:02}",
        "ARV": destino,
        "ADT": _fecha(llegada),
        "ATM": f"{llegada.hour:02}{llegada.minute:02}",
    }


def _fecha(local: datetime) -> str:
    return f"{local.day:02}{_MESES[local.month - 1]}{local.year:04}"
