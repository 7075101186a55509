"""Errores como problem+json (RFC 9457), igual que los del API que hay detrás."""

from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler


def problema(estado: int, detalle: str) -> web.Response:
    titulo = HTTPStatus(estado).phrase
    return web.json_response(
        {"type": "about:blank", "title": titulo, "status": estado, "detail": detalle},
        status=estado,
        content_type="application/problem+json",
    )


@web.middleware
async def errores_como_problema(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bajo `/api/`, también los errores del propio servidor (ruta, método, tamaño) son problem+json."""
    try:
        return await handler(request)
    except web.HTTPError as error:
        if not request.path.startswith("/api/"):
            raise
        respuesta = problema(error.status, error.text or error.reason)
        if "Allow" in error.headers:
            respuesta.headers["Allow"] = error.headers["Allow"]
        return respuesta
