"""El paso de las peticiones de la página hacia el API: sólo las rutas de la lista, en el mismo origen que la página."""

from collections.abc import AsyncIterator

import aiohttp
import structlog
from aiohttp import web
from yarl import URL

from ui.configuracion import Configuracion
from ui.origenes import es_admisible
from ui.problemas import problema

CUERPO_MAXIMO_BYTES = 1024 * 1024
RESPUESTA_MAXIMA_BYTES = 8 * 1024 * 1024
DE_IDA = ("Accept", "Content-Type", "Idempotency-Key", "traceparent", "tracestate")
DE_VUELTA = ("Content-Type", "Idempotency-Key", "Retry-After", "traceparent", "tracestate")
PREFIJO = "/api"
_ID = "{id:[0-9A-Za-z-]{1,64}}"
_LETRA = "{id:[0-9A-Za-z_][0-9A-Za-z_.:-]{0,299}}"
_SIN_EFECTO = ("GET", "HEAD")

_registro = structlog.get_logger(__name__)


class Pasarela:
    """Reenvía al API y devuelve su respuesta tal cual: estado, cuerpo y cabeceras de `DE_VUELTA`."""

    def __init__(self, configuracion: Configuracion) -> None:
        self._base = configuracion.url_api
        self._espera_s = configuracion.ui_espera_api_s
        self._origenes = configuracion.ui_origenes
        self._sesion: aiohttp.ClientSession | None = None

    async def vivir(self, _: web.Application) -> AsyncIterator[None]:
        """Mantiene el cliente HTTP mientras vive la aplicación (un `cleanup_ctx`)."""
        # Una conexión guardada que el API ya cerró se comería un POST, que no se puede repetir sin saber: una por vez.
        conector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=conector, cookie_jar=aiohttp.DummyCookieJar()) as self._sesion:
            yield

    async def reenviar(self, peticion: web.Request) -> web.Response:
        if peticion.method not in _SIN_EFECTO and not es_admisible(peticion, self._origenes):
            raise web.HTTPForbidden(text="Desde un navegador, sólo la propia página puede pedir esto.")
        if self._sesion is None:
            raise RuntimeError("La pasarela atiende sólo mientras la aplicación está arrancada")
        cuerpo = await peticion.read()
        destino = self._base.with_path(peticion.path.removeprefix(PREFIJO)).with_query(peticion.query)
        cabeceras = {nombre: peticion.headers[nombre] for nombre in DE_IDA if nombre in peticion.headers}
        try:
            async with self._sesion.request(
                peticion.method,
                destino,
                data=cuerpo or None,
                headers=cabeceras,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._espera_s),
            ) as respuesta:
                return await self._devolver(respuesta)
        except aiohttp.ClientConnectorError:
            return problema(503, f"El API de AeroAlpes no responde en {self._base.authority}. ¿Está en marcha?")
        except TimeoutError:
            return problema(504, f"El API de AeroAlpes no contestó en {self._espera_s:g} s.")
        except aiohttp.ClientError as error:
            _registro.warning("api_cortada", error=repr(error))
            return problema(502, "El API de AeroAlpes cortó la respuesta.")

    async def _devolver(self, respuesta: aiohttp.ClientResponse) -> web.Response:
        cuerpo = bytearray()
        async for parte in respuesta.content.iter_chunked(64 * 1024):
            cuerpo += parte
            if len(cuerpo) > RESPUESTA_MAXIMA_BYTES:
                return problema(502, f"La respuesta del API pasa de {RESPUESTA_MAXIMA_BYTES} bytes.")
        cabeceras = {nombre: respuesta.headers[nombre] for nombre in DE_VUELTA if nombre in respuesta.headers}
        if "Location" in respuesta.headers:
            cabeceras["Location"] = self._en_este_origen(respuesta.headers["Location"])
        return web.Response(status=respuesta.status, body=bytes(cuerpo), headers=cabeceras)

    def _en_este_origen(self, ubicacion: str) -> str:
        """Una dirección del API, dicha como la ve la página."""
        try:
            url = URL(ubicacion)
        except ValueError:
            return ubicacion
        propia = not url.absolute or url.origin() == self._base.origin()
        return PREFIJO + url.raw_path_qs if propia and url.path.startswith("/vuelos/") else ubicacion


def rutas(pasarela: Pasarela) -> list[web.RouteDef]:
    """Lo único del API que se alcanza desde la página."""
    return [
        web.post(f"{PREFIJO}/vuelos/reserva-comando", pasarela.reenviar),
        web.post(f"{PREFIJO}/vuelos/reserva", pasarela.reenviar),
        *(
            web.get(f"{PREFIJO}/vuelos/{vista}{sufijo}", pasarela.reenviar)
            for vista in ("reserva-query", "reserva")
            for sufijo in ("", f"/{_ID}")
        ),
        web.get(f"{PREFIJO}/sagas/{_ID}", pasarela.reenviar),
        web.get(f"{PREFIJO}/letras-muertas/", pasarela.reenviar),
        web.get(f"{PREFIJO}/letras-muertas/{_LETRA}", pasarela.reenviar),
        web.post(f"{PREFIJO}/letras-muertas/{_LETRA}/reenviar", pasarela.reenviar),
        web.delete(f"{PREFIJO}/letras-muertas/{_LETRA}", pasarela.reenviar),
    ]
