"""Un cartero que deja los correos en una carpeta, como archivos `.eml` que abre cualquier programa de correo."""

import asyncio
import os
import re
import tempfile
import time
from contextlib import suppress
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path

from notificaciones.cartero import CarteroNoDisponible, CorreoRechazado
from notificaciones.sobre import Sobre

_TEMPORAL_VIEJO_S = 3600.0
_IDENTIDAD_UUID = re.compile(r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@[^<>]+>")


class Buzon:
    """Guarda cada correo en `<carpeta>/<id del evento>.eml`, entero o nada.

    El nombre sale del `Message-ID`: entregar dos veces el mismo correo no hace dos archivos, ni toca el que ya
    está. Los archivos son legibles sólo por el dueño del proceso. Crear el buzón lanza `OSError` si la carpeta no
    se puede usar.
    """

    def __init__(self, carpeta: Path) -> None:
        self._carpeta = carpeta
        carpeta.mkdir(parents=True, exist_ok=True)
        _borrar_temporales_abandonados(carpeta)

    async def enviar(self, correo: EmailMessage) -> None:
        """Vuelve cuando el correo está en disco. Lanza `CorreoRechazado` si no lleva identidad o no es válido, y
        `CarteroNoDisponible` si el disco no lo admite ahora."""
        sobre, destino = Sobre.de(correo), self._carpeta / f"{_nombre(correo)}.eml"
        try:
            await asyncio.to_thread(_guardar, destino, sobre.contenido)
        except OSError as error:
            raise CarteroNoDisponible(f"No se pudo guardar el correo en {destino}: {error.strerror}") from error


def _nombre(correo: EmailMessage) -> str:
    identidad = str(correo.get("Message-ID", "")).strip()
    if not identidad:
        raise CorreoRechazado("El correo no lleva Message-ID: sin él no se puede saber si ya se entregó")
    conocida = _IDENTIDAD_UUID.fullmatch(identidad)
    return conocida[1] if conocida else sha256(identidad.encode()).hexdigest()


def _guardar(destino: Path, contenido: bytes) -> None:
    if destino.exists():
        return
    destino.parent.mkdir(parents=True, exist_ok=True)
    # Cada intento escribe su propio temporal: dos procesos con el mismo correo no se pisan a medio escribir.
    descriptor, nombre = tempfile.mkstemp(dir=destino.parent, prefix=f".{destino.stem}.", suffix=".tmp")
    temporal = Path(nombre)
    try:
        with os.fdopen(descriptor, "wb") as archivo:
            archivo.write(contenido)
            archivo.flush()
            os.fsync(archivo.fileno())
        os.replace(temporal, destino)  # noqa: PTH105 el reemplazo atómico se llama así en todas partes
    except BaseException:
        temporal.unlink(missing_ok=True)
        raise
    _asentar_carpeta(destino.parent)


def _asentar_carpeta(carpeta: Path) -> None:
    """Lleva a disco el nombre nuevo: sin esto, un corte de luz puede dejar los bytes sin nombre."""
    descriptor = os.open(carpeta, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _borrar_temporales_abandonados(carpeta: Path) -> None:
    """Un proceso muerto a medias deja su temporal; los recientes pueden ser de otro proceso que sigue escribiendo."""
    for temporal in carpeta.glob(".*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - temporal.stat().st_mtime > _TEMPORAL_VIEJO_S:
                temporal.unlink()
