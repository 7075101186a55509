"""Los guiones de Lua, que Redis corre enteros o nada más empezar falla: cada uno es un paso atómico y un viaje."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from importlib import resources

_COMUN, _SUSCRIPCION = "comun", "suscripcion"


@dataclass(frozen=True)
class Guion:
    """Un guion con lo que comparte con los demás, y la huella por la que Redis lo conoce."""

    nombre: str
    texto: str
    huella: str


def _cargar(nombre: str, *antes: str) -> Guion:
    carpeta = resources.files(__package__) / "guiones"
    texto = "\n".join((carpeta / f"{parte}.lua").read_text(encoding="utf-8") for parte in (*antes, nombre))
    return Guion(nombre, texto, sha1(texto.encode(), usedforsecurity=False).hexdigest())


PUBLICAR = _cargar("publicar", _COMUN)
LATIR = _cargar("latir", _COMUN)
POSICIONES = _cargar("posiciones", _COMUN)
LEER = _cargar("leer", _COMUN)
LETRAS = _cargar("letras", _COMUN)
SUSCRIBIR = _cargar("suscribir", _COMUN, _SUSCRIPCION)
DESPEDIR = _cargar("despedir", _COMUN, _SUSCRIPCION)
TOMAR = _cargar("tomar", _COMUN, _SUSCRIPCION)
CONCILIAR = _cargar("conciliar", _COMUN, _SUSCRIPCION)
CONFIRMAR = _cargar("confirmar", _COMUN, _SUSCRIPCION)
DEVOLVER = _cargar("devolver", _COMUN, _SUSCRIPCION)
INICIAR = _cargar("iniciar", _COMUN, _SUSCRIPCION)
REINTENTAR = _cargar("reintentar", _COMUN, _SUSCRIPCION)
DESECHAR = _cargar("desechar", _COMUN, _SUSCRIPCION)
REENVIAR = _cargar("reenviar", _COMUN, _SUSCRIPCION)
DESCARTAR = _cargar("descartar", _COMUN, _SUSCRIPCION)
LIMITES = _cargar("limites", _COMUN, _SUSCRIPCION)
