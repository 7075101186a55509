"""Cerrojos de archivo (`flock`): los suelta el sistema cuando muere quien los tiene, y por eso no quedan rancios."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

PASO_S = 0.05


def tomar(descriptor: int, plazo_s: float) -> None:
    """Toma el cerrojo en exclusiva. `TimeoutError` si otro lo tiene más de `plazo_s`."""
    limite = time.monotonic() + plazo_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > limite:
                raise TimeoutError(f"otro lo tiene tomado desde hace {plazo_s:.0f} s") from None
            time.sleep(PASO_S)
        else:
            return


def tomado(archivo: Path) -> bool:
    """Si algún proceso lo tiene en exclusiva. Preguntar no estorba a otro que pregunte."""
    try:
        descriptor = os.open(archivo, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def turno(archivo: Path, plazo_s: float) -> Iterator[None]:
    """De uno en uno entre procesos."""
    descriptor = os.open(archivo, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        tomar(descriptor, plazo_s)
        yield
    finally:
        os.close(descriptor)
