"""Quién puede hablarle a este servidor desde un navegador: su propia página y los orígenes admitidos."""

from collections.abc import Collection

from aiohttp import web
from yarl import URL


def es_admisible(peticion: web.Request, admitidos: Collection[str]) -> bool:
    """True si la petición no viene de la página de otro sitio.

    Un navegador manda `Origin` en todo websocket y en todo POST; sin él, quien llama no es una página.
    """
    origenes = peticion.headers.getall("Origin", [])
    if not origenes:
        return True
    if len(origenes) > 1:
        return False
    origen = _autoridad(origenes[0])
    if origen is None:
        return False
    esquema = origenes[0].partition("://")[0]
    return origen == _autoridad(f"{esquema}://{peticion.host}") or any(
        origenes[0].rstrip("/").lower() == admitido.rstrip("/").lower() for admitido in admitidos
    )


def _autoridad(texto: str) -> tuple[str, int] | None:
    try:
        url = URL(texto)
        anfitrion, puerto = url.host, url.port
    except ValueError:
        return None
    if url.scheme not in ("http", "https") or not anfitrion or puerto is None:
        return None
    return anfitrion.lower(), puerto
