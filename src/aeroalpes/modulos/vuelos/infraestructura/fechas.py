"""Las fechas fuera del dominio: milisegundos desde 1970, en UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCA = datetime(1970, 1, 1, tzinfo=UTC)


def a_ms(fecha: datetime) -> int:
    """Los milisegundos de una fecha con zona; lo que haya por debajo se pierde."""
    return (fecha - _EPOCA) // timedelta(milliseconds=1)


def de_ms(ms: int) -> datetime:
    """La fecha, en UTC; `OverflowError` si cae fuera de los años 1 a 9999."""
    return _EPOCA + timedelta(milliseconds=ms)
