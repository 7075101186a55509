"""Los puertos de un servidor: los de siempre si están libres la primera vez, otros si no; después, los mismos."""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.servidores.base import ANFITRION, NoDisponible

# Por debajo de 32768, donde empiezan los que Linux reparte a las conexiones salientes.
_SALTO, _TOPE = 1000, 32000


def asignar(archivo: Path, preferidos: Mapping[str, int]) -> dict[str, int]:
    """Los anotados en `archivo`; si no lo hay, los elige y los anota: la URL no cambia mientras duren los datos."""
    if anotados := leer(archivo):
        return anotados
    elegidos = next(_candidatos(preferidos), None)
    if elegidos is None:
        raise NoDisponible("no quedan puertos libres entre 17000 y 32000.")
    borrador = archivo.with_suffix(".nuevo")
    borrador.write_text(json.dumps(elegidos))
    borrador.replace(archivo)
    return elegidos


def leer(archivo: Path) -> dict[str, int]:
    return dict(json.loads(archivo.read_text())) if archivo.exists() else {}


def ocupados(puertos: Mapping[str, int]) -> list[int]:
    return [puerto for puerto in puertos.values() if not _libre(puerto)]


def _candidatos(preferidos: Mapping[str, int]) -> Iterator[dict[str, int]]:
    # Dos obreros de pytest que eligieran a la vez darían con los mismos: cada uno tiene los suyos.
    obrero = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    obreros = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    for salto in range(obrero * _SALTO, _TOPE - max(preferidos.values()), obreros * _SALTO):
        puertos = {nombre: puerto + salto for nombre, puerto in preferidos.items()}
        if not ocupados(puertos):
            yield puertos


def _libre(puerto: int) -> bool:
    try:
        socket.create_server((ANFITRION, puerto)).close()
    except OSError:
        return False
    # En BSD y macOS se puede ocupar un puerto de loopback que otro atiende en todas las direcciones.
    with socket.socket() as prueba:
        prueba.settimeout(1.0)
        return prueba.connect_ex((ANFITRION, puerto)) != 0
