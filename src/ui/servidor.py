"""La aplicación web: página, websocket, estado y paso hacia el API, en un solo origen y un solo event loop."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

from aiohttp import web

from ui import mapa
from ui.canal import Canal
from ui.configuracion import Configuracion
from ui.difusion import Difusion
from ui.ingesta import Fuente, Ingesta
from ui.pasarela import CUERPO_MAXIMO_BYTES, Pasarela, rutas
from ui.problemas import errores_como_problema
from ui.reparto import Reparto

ESTATICO = Path(__file__).parent / "estatico"
CIERRE_FUENTE_S = 1.0
CABECERAS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def crear_app(
    fuente: Fuente, configuracion: Configuracion, *, difusion: Difusion | None = None, canal: Canal | None = None
) -> web.Application:
    """La aplicación lista para servir; al arrancar empieza a leer `fuente()`, que puede fallar y se reabre.

    `difusion` y `canal` se dan (juntos, el canal sobre esa difusión) cuando hacen falta otros límites.
    """
    reparto = Reparto(difusion)
    canal = Canal(reparto.publica, configuracion, entera=reparto.entera) if canal is None else canal
    ingesta = Ingesta(fuente, reparto)
    pasarela = Pasarela(configuracion)
    estado = _Estado(reparto.publica, canal, ingesta)

    async def leer_la_fuente(_: web.Application) -> AsyncIterator[None]:
        lectura = asyncio.create_task(ingesta.correr())
        yield
        lectura.cancel()
        await asyncio.wait([lectura], timeout=CIERRE_FUENTE_S)

    async def despedir(_: web.Application) -> None:
        await canal.cerrar()

    app = web.Application(client_max_size=CUERPO_MAXIMO_BYTES, middlewares=[errores_como_problema])
    app.cleanup_ctx.extend([pasarela.vivir, leer_la_fuente])
    app.on_shutdown.append(despedir)
    app.on_response_prepare.append(_proteger)
    app.add_routes(
        [
            web.get("/", _pagina),
            web.get("/ws", canal.atender),
            web.get("/health", estado.salud),
            web.get("/livez", estado.salud),
            web.get("/readyz", estado.listo),
            web.static("/estatico/", ESTATICO),
            mapa.ruta(pasarela),
            *rutas(pasarela),
        ]
    )
    return app


class _Estado:
    """Las respuestas sobre el propio proceso."""

    def __init__(self, difusion: Difusion, canal: Canal, ingesta: Ingesta) -> None:
        self._difusion = difusion
        self._canal = canal
        self._ingesta = ingesta
        # La página reconoce por aquí que el proceso ya es otro, y entonces pide la ventana entera en vez de lo
        # posterior a un id: el proceso nuevo puede haber releído dos tópicos en otro orden.
        self._cabeceras = {
            "Ventana-Eventos": str(difusion.ventana),
            "Instancia": str(uuid4()),
            "Cache-Control": "no-store",
        }

    async def salud(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "up"}, headers=self._cabeceras)

    async def listo(self, _: web.Request) -> web.Response:
        problema = self._ingesta.problema
        cuerpo = {
            "status": "down" if problema else "up",
            "fuente": problema or "leyendo",
            "ventana": {"eventos": len(self._difusion), "maximo": self._difusion.ventana},
            "clientes": self._canal.clientes,
        }
        return web.json_response(cuerpo, status=503 if problema else 200, headers=self._cabeceras)


async def _pagina(_: web.Request) -> web.FileResponse:
    return web.FileResponse(ESTATICO / "index.html")


async def _proteger(_: web.Request, respuesta: web.StreamResponse) -> None:
    respuesta.headers.update(CABECERAS)
    respuesta.headers.setdefault("Cache-Control", "no-cache")
