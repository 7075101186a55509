"""El cliente HTTP del API de AeroAlpes: una petición, su plazo y en qué acaba cada cosa que puede ir mal."""

import asyncio
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp
import grpc
from yarl import URL

from fallos import CODIGO_POR_ESTADO_HTTP, ApiInalcanzable, Fallo, PlazoAgotado, RespuestaIninteligible

CONEXIONES_MAXIMAS = 100
RESPUESTA_MAXIMA_BYTES = 4 * 1024 * 1024  # lo que un cliente de gRPC acepta por defecto
PARTE_DEL_PLAZO_PARA_CONECTAR = 0.5


class Api:
    """Habla con el API por una sola sesión con conexiones reutilizadas. Se usa con `async with`."""

    def __init__(self, host: str, puerto: int) -> None:
        self._base = URL.build(scheme="http", host=host, port=puerto)
        self.origen = str(self._base)

    async def __aenter__(self) -> Self:
        self._sesion = aiohttp.ClientSession(
            self._base,
            connector=aiohttp.TCPConnector(limit=CONEXIONES_MAXIMAS),
            # El plazo es el de cada llamada; ni galletas ni redirecciones: el API no las usa.
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, tipo: type[BaseException] | None, error: BaseException | None, traza: TracebackType | None
    ) -> None:
        await self._sesion.close()

    async def crear_reserva(
        self, cuerpo: Mapping[str, object], *, cabeceras: Mapping[str, str], plazo_s: float
    ) -> object:
        """`POST /vuelos/reserva`. `cabeceras` ha de traer `idempotency-key`: la petición puede salir dos veces."""
        return await self._pedir("POST", "/vuelos/reserva", cuerpo=cuerpo, cabeceras=cabeceras, plazo_s=plazo_s)

    async def consultar_reserva(self, id: str, *, cabeceras: Mapping[str, str], plazo_s: float) -> object:
        """`GET /vuelos/reserva/<id>`."""
        return await self._pedir("GET", f"/vuelos/reserva/{id}", cuerpo=None, cabeceras=cabeceras, plazo_s=plazo_s)

    async def _pedir(
        self,
        metodo: str,
        ruta: str,
        *,
        cuerpo: Mapping[str, object] | None,
        cabeceras: Mapping[str, str],
        plazo_s: float,
    ) -> object:
        """El JSON de una respuesta 2xx. Lanza `Fallo` con todo lo demás, dentro de `plazo_s`.

        Una conexión que se corta se intenta una vez más: con las reutilizadas es lo normal cuando el API se
        reinicia, y la `idempotency-key` es la misma en los dos intentos.
        """
        try:
            async with asyncio.timeout(plazo_s):
                try:
                    estado, contenido = await self._intentar(metodo, ruta, cuerpo, cabeceras, plazo_s)
                except _ConexionCortada:
                    estado, contenido = await self._intentar(metodo, ruta, cuerpo, cabeceras, plazo_s)
        except _ConexionCortada as error:
            raise ApiInalcanzable(self.origen, "cortó la conexión dos veces sin terminar de contestar") from error
        except TimeoutError as error:
            raise PlazoAgotado(self.origen, plazo_s) from error
        if not 200 <= estado < 300:
            raise self._fallo(estado, contenido)
        try:
            return json.loads(contenido)
        except (ValueError, RecursionError) as error:
            raise RespuestaIninteligible(f"El API en {self.origen} contestó {estado} sin JSON legible") from error

    async def _intentar(
        self,
        metodo: str,
        ruta: str,
        cuerpo: Mapping[str, object] | None,
        cabeceras: Mapping[str, str],
        plazo_s: float,
    ) -> tuple[int, bytes]:
        # Quien no contesta ni al conectar está caído: se dice antes de que venza el plazo de quien llama.
        limite = aiohttp.ClientTimeout(total=None, sock_connect=plazo_s * PARTE_DEL_PLAZO_PARA_CONECTAR)
        try:
            async with self._sesion.request(
                metodo, ruta, json=cuerpo, headers=cabeceras, timeout=limite, allow_redirects=False
            ) as respuesta:
                return respuesta.status, await self._leer(respuesta)
        except aiohttp.ConnectionTimeoutError as error:
            raise ApiInalcanzable(self.origen, "no responde al conectar") from error
        except aiohttp.ClientConnectorError as error:
            raise ApiInalcanzable(self.origen, f"no acepta la conexión ({error.strerror or error})") from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise _ConexionCortada from error
        except aiohttp.ClientError as error:
            raise RespuestaIninteligible(f"Lo que contesta en {self.origen} no es HTTP: {error}") from error

    async def _leer(self, respuesta: aiohttp.ClientResponse) -> bytes:
        contenido = bytearray()
        async for trozo in respuesta.content.iter_chunked(64 * 1024):
            contenido += trozo
            if len(contenido) > RESPUESTA_MAXIMA_BYTES:
                raise RespuestaIninteligible(f"El API en {self.origen} contestó más de {RESPUESTA_MAXIMA_BYTES} bytes")
        return bytes(contenido)

    def _fallo(self, estado: int, contenido: bytes) -> Fallo:
        codigo = CODIGO_POR_ESTADO_HTTP.get(estado, grpc.StatusCode.UNKNOWN)
        detalle = _detalle(contenido)
        if codigo is grpc.StatusCode.UNAVAILABLE:
            return ApiInalcanzable(self.origen, detalle or f"contestó {estado}")
        return Fallo(codigo, detalle or f"El API en {self.origen} contestó {estado}")


class _ConexionCortada(Exception):
    """La conexión se abrió y se perdió antes de terminar la respuesta: no se sabe si el API actuó."""


def _detalle(contenido: bytes) -> str:
    """La frase de un problem+json (RFC 9457), o nada si el cuerpo es otra cosa."""
    try:
        problema = json.loads(contenido)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(problema, dict):
        return ""
    frase = problema.get("detail") or problema.get("title")
    return frase if isinstance(frase, str) else ""
