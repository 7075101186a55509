"""La hora de cada aeropuerto: el GDS sólo habla en hora local y sin zona."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

_ZONAS = {
    "BOG": "America/Bogota",
    "MDE": "America/Bogota",
    "CLO": "America/Bogota",
    "CTG": "America/Bogota",
    "LIM": "America/Lima",
    "UIO": "America/Guayaquil",
    "SCL": "America/Santiago",
    "EZE": "America/Argentina/Buenos_Aires",
    "GRU": "America/Sao_Paulo",
    "MEX": "America/Mexico_City",
    "PTY": "America/Panama",
    "JFK": "America/New_York",
    "MIA": "America/New_York",
    "LAX": "America/Los_Angeles",
    "MAD": "Europe/Madrid",
    "CDG": "Europe/Paris",
    "LHR": "Europe/London",
    "NRT": "Asia/Tokyo",
}


def hora_local(fecha: datetime, aeropuerto: str) -> datetime:
    """La fecha en la hora de ese aeropuerto (de uno que no está en la tabla, UTC).

    Lanza `OverflowError` si allí cae fuera de los años 1 a 9999.
    """
    return fecha.astimezone(_zona(_ZONAS.get(aeropuerto)))


@cache
def _zona(nombre: str | None) -> tzinfo:
    return ZoneInfo(nombre) if nombre else UTC
