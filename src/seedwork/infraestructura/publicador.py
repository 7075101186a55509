"""La mitad de una `Mensajeria` que publica: esperando el acuse, sin esperarlo, o al terminar una acción."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import structlog

from seedwork.infraestructura.accion import Accion, clave_de, datos_de, event, ligada
from seedwork.infraestructura.brokers import Broker, Mensaje
from seedwork.infraestructura.cartero import Cartero
from seedwork.infraestructura.codificacion import codificar, codificar_evento
from seedwork.infraestructura.outbox import DespachadorOutbox
from seedwork.infraestructura.respuesta import al_responder
from seedwork.infraestructura.sistema import Sistema

_log = structlog.get_logger(__name__)


class FueraDeMarcha(RuntimeError):
    """Se pidió algo a una mensajería que no está en marcha."""

    def __init__(self, motivo: str = "use `async with mensajeria:` o `await mensajeria.start()`") -> None:
        super().__init__(f"La mensajería no está en marcha: {motivo}")


class Productor:
    """Publica mensajes sueltos, esperando el acuse del broker."""

    def __init__(self, publicador: Publicador) -> None:
        self._publicador = publicador

    async def send(self, topic: str, message: Any, *, key: str | None = None) -> None:
        """Publica `message` en JSON (o Avro si es un mensaje de integración); `BrokerNoDisponible` si no hay acuse."""
        servicio = self._publicador.servicio
        await self._publicador.broker.publicar([codificar(message, topico=topic, servicio=servicio, clave=key)])


class Publicador:
    """Publica en nombre de un servicio; quien hereda lo conecta y lo desconecta."""

    def __init__(self, servicio: str, topico: str | None) -> None:
        self.servicio = servicio
        self.topico = topico
        self._acciones: list[Accion] = []
        self._broker: Broker | None = None
        self._sistema: Sistema | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cartero = Cartero(self._enviar)

    @property
    def broker(self) -> Broker:
        """El broker conectado; sólo mientras la mensajería está en marcha."""
        if self._broker is None:
            raise FueraDeMarcha
        return self._broker

    @property
    def sistema(self) -> Sistema:
        """El bus y la base con que trabaja; sólo mientras está en marcha."""
        if self._sistema is None:
            raise FueraDeMarcha
        return self._sistema

    @property
    def acciones(self) -> tuple[Accion, ...]:
        """Las acciones declaradas con `event`."""
        return tuple(self._acciones)

    async def publish_event(
        self, event_name: str, data: Any, topic: str | None = None, key_field: str | None = None
    ) -> None:
        """Publica un evento y espera el acuse del broker; lanza si no llega.

        Sin `topic` va al tópico por defecto o, si no hay, al que se llama como el evento. `key_field` nombra el campo
        de `data` que da la clave de orden.
        """
        await self.broker.publicar([self._evento(event_name, data, topic, key_field)])

    def new_event(self, event_name: str, data: Any, topic: str | None = None, key_field: str | None = None) -> None:
        """Publica sin esperar, en el orden en que se llama.

        Con base de datos pasa por el outbox: ya está en él al volver o, si se llama desde el event loop, poco después
        (`stop` lo espera). Si no se puede publicar, sólo se registra.
        """
        mensaje = self._evento(event_name, data, topic, key_field)
        if self.sistema.motor is not None and _loop_en_curso() is not self._loop:
            self._al_outbox(mensaje)
        else:  # en el event loop no se puede esperar a la base
            self._encolar(mensaje)

    def get_producer(self) -> Productor:
        """Un productor que espera el acuse de cada mensaje."""
        return Productor(self)

    def event(
        self, event_name: str, *, topic: str | None = None, key_field: str | None = None, include_result: bool = True
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Publica lo que devuelve una vista o cualquier función, síncrona o asíncrona, cuando termina bien.

        En una petición HTTP se publica después de enviar la respuesta, si no es un error; fuera de ella, enseguida y
        sin esperar. Con base de datos pasa por el outbox. Si no se puede publicar sólo se registra: ni la función ni la
        respuesta lo notan. En ASGI hace falta la envoltura `PublicarAlResponder`.
        """
        declarar = event(event_name, topic=topic, key_field=key_field, include_result=include_result)
        return lambda funcion: self.ligar(declarar(funcion))

    def ligar(self, accion: Accion) -> Callable[..., Any]:
        """La función de una acción declarada con `seedwork.event`, que ahora publica por aquí."""
        self._acciones.append(accion)
        return ligada(accion, self._anunciar)

    def _anunciar(self, accion: Accion, resultado: Any) -> None:
        try:
            datos = datos_de(resultado) if accion.con_retorno or accion.campo_clave else None
            clave = clave_de(accion.evento, datos, accion.campo_clave)
            mensaje = self._codificar(accion.evento, datos if accion.con_retorno else {}, accion.topico, clave)
        except Exception as error:  # noqa: BLE001 - la acción ya se hizo: su respuesta no se pierde por el evento
            _log.error("mensajeria.evento_perdido", evento=accion.evento, exc_info=error)
            return
        al_responder(lambda: self._soltar(mensaje))

    def _soltar(self, mensaje: Mensaje) -> None:
        try:
            self._encolar(mensaje)
        except RuntimeError as error:
            _log.error("mensajeria.evento_perdido", topico=mensaje.topico, error=str(error))

    def _encolar(self, mensaje: Mensaje) -> None:
        if self._broker is None or self._loop is None:
            raise FueraDeMarcha
        if _loop_en_curso() is self._loop:
            self._cartero.encolar(mensaje)
        else:  # con un contexto limpio: lo de quien llama (su transacción, su petición) no es de quien publica
            self._loop.call_soon_threadsafe(self._cartero.encolar, mensaje, context=contextvars.Context())

    async def _enviar(self, mensaje: Mensaje) -> None:
        if self.sistema.motor is not None:
            await self.sistema.en_hilo(self._al_outbox, mensaje)
        else:
            await self.broker.publicar([mensaje])

    def _evento(self, nombre: str, datos: Any, topico: str | None, campo: str | None) -> Mensaje:
        return self._codificar(nombre, datos, topico, clave_de(nombre, datos, campo))

    def _codificar(self, nombre: str, datos: Any, topico: str | None, clave: str | None) -> Mensaje:
        return codificar_evento(nombre, datos, servicio=self.servicio, topico=topico or self.topico, clave=clave)

    def _al_outbox(self, mensaje: Mensaje) -> None:
        self.sistema.en_transaccion(lambda t: t.ambito.get(DespachadorOutbox).anadir(mensaje))


def _loop_en_curso() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
