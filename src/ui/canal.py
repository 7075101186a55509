"""El websocket: por cada cliente, una tarea que le escribe y un bucle que lo oye."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from ui.configuracion import Configuracion
from ui.difusion import Difusion, Lector, Rezagado
from ui.mensajes import MensajeInvalido, id_canonico, id_suscrito
from ui.origenes import es_admisible

ENVIO_MAXIMO_S = 5.0
"""Un cliente que en este tiempo no deja escribirle un solo mensaje está parado: se suelta."""
CIERRE_MAXIMO_S = 1.0
LATIDO_S = 20.0
RECEPCION_MAXIMA_BYTES = 4 * 1024 * 1024
"""Más allá de esto no se recibe un mensaje para contestarlo: la conexión se cierra con 1009."""

_registro = structlog.get_logger(__name__)


class Canal:
    """Atiende `/ws`; a quien pide `?todo=1` le lee de `entera`. Los segundos existen para probarlo sin esperar."""

    def __init__(
        self,
        difusion: Difusion,
        configuracion: Configuracion,
        envio_maximo_s: float = ENVIO_MAXIMO_S,
        latido_s: float = LATIDO_S,
        entera: Difusion | None = None,
    ) -> None:
        self._difusion = difusion
        self._entera = difusion if entera is None else entera
        self._origenes = configuracion.ui_origenes
        self._maximo = configuracion.ui_max_clientes
        self._envio_maximo_s = envio_maximo_s
        self._latido_s = latido_s
        self._abiertos: set[web.WebSocketResponse] = set()

    @property
    def clientes(self) -> int:
        return len(self._abiertos)

    async def atender(self, peticion: web.Request) -> web.StreamResponse:
        if not es_admisible(peticion, self._origenes):
            raise web.HTTPForbidden(text="Este websocket sólo atiende a su propia página.")
        if len(self._abiertos) >= self._maximo:
            raise web.HTTPServiceUnavailable(
                text=f"Ya hay {self._maximo} clientes conectados.", headers={"Retry-After": "5"}
            )
        try:
            filtro = peticion.query.get("id_reserva")
            id_reserva = id_canonico(filtro) if filtro is not None else None
        except MensajeInvalido as error:
            raise web.HTTPBadRequest(text=str(error)) from None

        ws = web.WebSocketResponse(
            timeout=CIERRE_MAXIMO_S, heartbeat=self._latido_s, max_msg_size=RECEPCION_MAXIMA_BYTES, compress=False
        )
        difusion = self._entera if peticion.query.get("todo") == "1" else self._difusion
        ws.headers["Ventana-Eventos"] = str(difusion.ventana)
        transporte = peticion.transport
        with self._plaza(ws), difusion.abrir(peticion.query.get("desde"), id_reserva) as lector:
            # Su posición se toma antes de contestarle: lo que pase desde que se sabe conectado, le llega.
            await ws.prepare(peticion)
            motivo = await self._conversar(ws, lector)
            if motivo is not None:
                await _expulsar(ws, transporte, motivo)
        return ws

    async def cerrar(self) -> None:
        """Despide a todos (1001), sin esperar a ninguno más de `CIERRE_MAXIMO_S`."""
        await asyncio.gather(
            *(_cerrar(ws, WSCloseCode.GOING_AWAY, "El servidor se detiene") for ws in tuple(self._abiertos))
        )

    @contextmanager
    def _plaza(self, ws: web.WebSocketResponse) -> Iterator[None]:
        self._abiertos.add(ws)
        try:
            yield
        finally:
            self._abiertos.discard(ws)

    async def _conversar(self, ws: web.WebSocketResponse, lector: Lector) -> str | None:
        """Oye y escribe a la vez hasta que uno de los dos termina; devuelve por qué hay que expulsarlo, si hay que."""
        tareas = [asyncio.create_task(self._oir(ws, lector)), asyncio.create_task(self._escribir(ws, lector))]
        try:
            await asyncio.wait(tareas, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for tarea in tareas:
                tarea.cancel()
            finales = await asyncio.gather(*tareas, return_exceptions=True)
        for final in finales:
            if isinstance(final, Rezagado):
                return str(final)
            if isinstance(final, TimeoutError):
                return f"no deja escribirle hace {self._envio_maximo_s:g} s"
            if isinstance(final, Exception) and not isinstance(final, ConnectionError):
                raise final
        return None

    async def _oir(self, ws: web.WebSocketResponse, lector: Lector) -> None:
        async for mensaje in ws:
            if mensaje.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            try:
                lector.id_reserva = id_suscrito(mensaje)
            except MensajeInvalido as error:
                await self._enviar(ws, _error(str(error)))

    async def _escribir(self, ws: web.WebSocketResponse, lector: Lector) -> None:
        if lector.hubo_hueco:
            await self._enviar(ws, _error(_hueco(lector.ventana)))
        while True:
            entrada = await lector.siguiente()
            await self._enviar(ws, entrada.trama)

    async def _enviar(self, ws: web.WebSocketResponse, trama: bytes) -> None:
        async with asyncio.timeout(self._envio_maximo_s):
            await ws.send_frame(trama, WSMsgType.TEXT)


async def _expulsar(ws: web.WebSocketResponse, transporte: asyncio.Transport | None, motivo: str) -> None:
    _registro.warning("cliente_lento", motivo=motivo)
    await _cerrar(ws, WSCloseCode.TRY_AGAIN_LATER, "Demasiado lento: vuelva a conectarse con ?desde=")
    # El cierre ordenado espera a vaciar lo ya escrito, y este cliente no lo va a leer.
    if transporte is not None:
        transporte.abort()


async def _cerrar(ws: web.WebSocketResponse, codigo: int, motivo: str) -> None:
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(CIERRE_MAXIMO_S):
            await ws.close(code=codigo, message=motivo.encode(), drain=False)


def _error(texto: str) -> bytes:
    return json.dumps({"error": texto}, ensure_ascii=False).encode()


def _hueco(ventana: int) -> str:
    return (
        f"Ese evento ya no está en la ventana de los últimos {ventana}: va la ventana entera, puede faltar algo antes"
    )
