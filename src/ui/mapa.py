"""El mapa que ve la página: el que dice el API de sus contextos, y los servicios que viven en otros procesos."""

from __future__ import annotations

import json

from aiohttp import web

from ui.pasarela import PREFIJO, Pasarela

VECINOS = (
    {
        "contexto": "notificaciones",
        "publica": [{"topico": "correo.enviado", "mensajes": ["correo.enviado"]}],
        "atiende": [
            {"topico": "eventos-reserva", "suscripcion": "sub-notificacion-eventos-reservas"},
            {"topico": "eventos-cliente", "suscripcion": "sub-notificacion-eventos-clientes"},
        ],
    },
)
"""Lo que el API no puede saber; una prueba lo compara con lo que cada uno declara."""


def ruta(pasarela: Pasarela) -> web.RouteDef:
    """`GET /api/mapa`."""

    async def mapa(peticion: web.Request) -> web.StreamResponse:
        respuesta = await pasarela.reenviar(peticion)
        if respuesta.status != 200:
            return respuesta
        contextos = json.loads(respuesta.text or "{}")["contextos"]
        return web.json_response({"contextos": [*contextos, *VECINOS]})

    return web.get(f"{PREFIJO}/mapa", mapa)
