"""Saber cuándo se envió la respuesta HTTP en curso, en Flask y en cualquier aplicación ASGI."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextvars import ContextVar
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AplicacionASGI = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[Any]]

_ERROR = 400


class _Respuesta:
    """Una respuesta ASGI: su estado cuando se sabe, y lo que espera a que salga."""

    def __init__(self) -> None:
        self.estado = 0
        self.enviada = False
        self.pendientes: list[Callable[[], None]] = []

    def terminar(self) -> None:
        """La respuesta salió, o no saldrá; si no fue un error, corre lo pendiente."""
        self.enviada = True
        pendientes, self.pendientes = self.pendientes, []
        if 0 < self.estado < _ERROR:
            for funcion in pendientes:
                funcion()


_salidas: weakref.WeakKeyDictionary[Any, _Respuesta] = weakref.WeakKeyDictionary()
_en_curso: ContextVar[_Respuesta | None] = ContextVar("respuesta_en_curso", default=None)


class PublicarAlResponder:
    """Envoltura ASGI: con ella, lo que publica `@event` en una petición espera a que se envíe su respuesta.

    Sin ella se publica cuando la función termina, sin que la respuesta lo espere.
    """

    def __init__(self, app: AplicacionASGI) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        respuesta = _Respuesta()

        async def enviar(mensaje: MutableMapping[str, Any]) -> None:
            if mensaje["type"] == "http.response.start":
                respuesta.estado = mensaje["status"]
            await send(mensaje)
            if mensaje["type"] == "http.response.body" and not mensaje.get("more_body", False):
                respuesta.terminar()

        ficha = _en_curso.set(respuesta)
        try:
            await self._app(scope, receive, enviar)
        finally:
            _en_curso.reset(ficha)
            respuesta.terminar()  # si el cliente se fue a medias, lo hecho está hecho


def al_responder(funcion: Callable[[], None]) -> None:
    """Llama a `funcion`, que no debe fallar, cuando se haya enviado la respuesta HTTP en curso; nunca si es un error
    (4xx o 5xx). Si no hay ninguna en curso, la llama ahora."""
    if (respuesta := _en_curso.get()) is not None and not respuesta.enviada:
        respuesta.pendientes.append(funcion)
    elif (flask := flask_en_curso()) is not None:
        flask.after_this_request(lambda respuesta: _al_cerrarse(respuesta, funcion))
    else:
        funcion()


def flask_en_curso() -> Any:
    """El módulo de Flask si aquí se atiende una petición suya; None si no, o si nadie lo ha importado."""
    flask = sys.modules.get("flask")
    return flask if flask is not None and flask.has_request_context() else None


def _al_cerrarse(respuesta: Any, funcion: Callable[[], None]) -> Any:
    """Apunta `funcion` para cuando la respuesta se acabe de enviar, o el servidor la cierre o la suelte.

    El de desarrollo de Werkzeug no la cierra si el cliente corta la conexión mientras mira si queda algo por leer.
    """
    if respuesta.status_code < _ERROR:
        if (salida := _salidas.get(respuesta)) is None:
            salida = _salidas[respuesta] = _Respuesta()
            salida.estado = respuesta.status_code
            respuesta.call_on_close(weakref.finalize(respuesta, salida.terminar))
            if respuesta.is_streamed and not respuesta.direct_passthrough:
                respuesta.response = _y_al_final(respuesta.response, salida.terminar)
        salida.pendientes.append(funcion)
    return respuesta


def _y_al_final(trozos: Iterable[Any], funcion: Callable[[], None]) -> Iterator[Any]:
    try:
        yield from trozos
    finally:
        funcion()
