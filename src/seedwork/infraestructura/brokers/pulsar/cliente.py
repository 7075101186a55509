"""El cliente de Pulsar visto desde el event loop: nada que bloquee corre en él, y sus errores son los del puerto."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import pulsar
from pulsar.schema import BytesSchema, Schema

from seedwork.infraestructura.brokers import (
    BrokerCerrado,
    BrokerNoDisponible,
    ErrorBroker,
    Mensaje,
    MensajeNoPublicable,
)
from seedwork.infraestructura.brokers.pulsar.direccion import Direccion
from seedwork.infraestructura.brokers.pulsar.formato import Sobre

T = TypeVar("T")
PLAZO_S = 8
PLAZO_CIERRE_S = 2  # de una suscripción, y del cliente: también con el broker colgado
_EN_VUELO = 1_000
_PENDIENTES_MAXIMO = 100_000
_SIN_REMEDIO = (
    pulsar.AuthenticationError,
    pulsar.AuthorizationError,
    pulsar.InvalidTopicName,
    pulsar.InvalidUrl,
    pulsar.TopicTerminated,
)


class Cliente:
    """Una conexión con Pulsar, que se abre al usarla: heredada por un `fork` se queda colgada."""

    def __init__(self, direccion: Direccion) -> None:
        self.direccion = direccion
        self.cerrado = False
        self._hilos = ThreadPoolExecutor(8, thread_name_prefix="broker-pulsar")
        self._cliente: pulsar.Client | None = None
        self._productores: dict[tuple[str, Schema | None], asyncio.Future[pulsar.Producer]] = {}
        self._tareas: set[asyncio.Task[None]] = set()

    async def hacer(self, funcion: Callable[[pulsar.Client], T], si_sobra: Callable[[T], None] | None = None) -> T:
        """Corre `funcion(cliente)` en un hilo, entera; `si_sobra` recoge lo que devuelva si cancelan a quien espera."""
        if self.cerrado:
            raise BrokerCerrado(f"El broker {self.direccion.servicio} está cerrado")
        if self._cliente is None:
            self._cliente = _conectar(self.direccion)
        tarea = asyncio.get_running_loop().run_in_executor(self._hilos, self._traducir, funcion, self._cliente)
        try:
            return await asyncio.shield(tarea)
        except asyncio.CancelledError:
            if si_sobra is not None:
                tarea.add_done_callback(partial(self._recoger, si_sobra))
            raise

    def _recoger(self, si_sobra: Callable[[T], None], tarea: asyncio.Future[T]) -> None:
        if not tarea.cancelled() and tarea.exception() is None and not self.cerrado:
            self._hilos.submit(si_sobra, tarea.result())

    def _traducir(self, funcion: Callable[[pulsar.Client], T], cliente: pulsar.Client) -> T:
        try:
            return funcion(cliente)
        except pulsar.PulsarException as error:
            raise self.traducido(error) from error

    def traducido(self, error: object) -> ErrorBroker:
        if self.cerrado:
            return BrokerCerrado(f"El broker {self.direccion.servicio} está cerrado")
        if isinstance(error, _SIN_REMEDIO):
            return ErrorBroker(f"El broker {self.direccion.servicio} lo rechaza: {error}")
        if isinstance(error, pulsar.IncompatibleSchema):
            return BrokerNoDisponible(
                f"El broker {self.direccion.servicio} exige un esquema registrado: corra `seedwork esquemas publicar`"
            )
        return BrokerNoDisponible(f"El broker {self.direccion.servicio} no responde: {error}")

    def sin_esperar(self, tarea: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """La corre aparte, y sigue aunque cancelen a quien la espere; al cerrar se espera a que acabe."""
        nueva = asyncio.create_task(tarea)
        self._tareas.add(nueva)
        nueva.add_done_callback(self._tareas.discard)
        return nueva

    async def enviar(self, topico: str, sobres: Sequence[tuple[Sobre, Mensaje]], esquema: Schema | None = None) -> None:
        """Envía en orden y vuelve con el acuse de todos; `esquema` es el que dirá el broker de cada uno."""
        try:
            async with asyncio.timeout(PLAZO_S + 1) as plazo:
                productor = await self._productor(topico, esquema)
                for inicio in range(0, len(sobres), _EN_VUELO):
                    await self._enviar(productor, sobres[inicio : inicio + _EN_VUELO])
                    plazo.reschedule(asyncio.get_running_loop().time() + PLAZO_S + 1)
        except TimeoutError as error:
            raise BrokerNoDisponible(f"El broker {self.direccion.servicio} no acusó a tiempo") from error

    async def _enviar(self, productor: pulsar.Producer, sobres: Sequence[tuple[Sobre, Mensaje]]) -> None:
        loop = asyncio.get_running_loop()
        hecho: asyncio.Future[None] = loop.create_future()
        faltan, fallos = len(sobres), dict[int, Any]()

        def acusado(indice: int, resultado: Any, _id: Any) -> None:
            nonlocal faltan  # todos los acuses llegan por el único hilo del cliente
            if resultado != pulsar.Result.Ok:
                fallos[indice] = resultado
            faltan -= 1
            if not faltan:
                _avisar(loop, hecho)

        for indice, (sobre, _) in enumerate(sobres):
            productor.send_async(sobre.cuerpo, partial(acusado, indice), **sobre.opciones)
        await hecho
        for indice, resultado in sorted(fallos.items()):
            if resultado == pulsar.Result.MessageTooBig:
                raise MensajeNoPublicable(sobres[indice][1], "El mensaje es mayor de lo que este Pulsar admite")
            raise self.traducido(resultado)

    async def _productor(self, topico: str, esquema: Schema | None) -> pulsar.Producer:
        futuro = self._productores.get((topico, esquema))
        if futuro is None or (futuro.done() and (futuro.cancelled() or futuro.exception() is not None)):
            futuro = asyncio.ensure_future(self.hacer(lambda cliente: _crear_productor(cliente, topico, esquema)))
            self._productores[topico, esquema] = futuro
        return await asyncio.shield(futuro)

    async def cerrar(self) -> None:
        if self.cerrado:
            return
        self.cerrado = True
        limite = asyncio.get_running_loop().time() + PLAZO_CIERRE_S
        if self._tareas:
            await asyncio.wait(self._tareas, timeout=PLAZO_CIERRE_S / 2)
        if self._cliente is not None:
            await _en_un_hilo(partial(_cerrar, self._cliente), limite)
        self._hilos.shutdown(wait=False, cancel_futures=True)


async def _en_un_hilo(funcion: Callable[[], None], limite: float) -> None:
    """Corre en un hilo suyo, que no retiene al proceso: los demás pueden estar todos esperando a un broker colgado."""
    loop = asyncio.get_running_loop()
    hecho: asyncio.Future[None] = loop.create_future()

    def correr() -> None:
        funcion()
        _avisar(loop, hecho)

    threading.Thread(target=correr, daemon=True).start()
    with suppress(TimeoutError):
        async with asyncio.timeout_at(limite):
            await hecho


def _conectar(direccion: Direccion) -> pulsar.Client:
    metodo, secreto = direccion.acceso or ("", "")
    acceso = None
    if metodo == "token":
        acceso = pulsar.AuthenticationToken(secreto)
    elif metodo == "basic":
        acceso = pulsar.AuthenticationBasic(*secreto.split(":", 1))
    return pulsar.Client(
        direccion.servicio,
        authentication=acceso,
        operation_timeout_seconds=PLAZO_S,
        connection_timeout_ms=3_000,
        stats_interval_in_seconds=0,
        tls_trust_certs_file_path=direccion.ca or ssl.get_default_verify_paths().cafile,
        tls_validate_hostname=True,
        logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error),
    )


def _crear_productor(cliente: pulsar.Client, topico: str, esquema: Schema | None) -> pulsar.Producer:
    return cliente.create_producer(
        topico,
        schema=esquema or BytesSchema(),
        # Un lote se vuelve a entregar entero, también lo confirmado, si el servidor no lleva la cuenta por índice.
        batching_enabled=False,
        send_timeout_millis=PLAZO_S * 1000,
        max_pending_messages=_PENDIENTES_MAXIMO,
        block_if_queue_full=False,
    )


def _avisar(loop: asyncio.AbstractEventLoop, hecho: asyncio.Future[None]) -> None:
    def cumplir() -> None:
        if not hecho.done():
            hecho.set_result(None)

    with suppress(RuntimeError):  # el loop ya se cerró; una excepción aquí acabaría con el proceso
        loop.call_soon_threadsafe(cumplir)


def _cerrar(cliente: pulsar.Client) -> None:
    try:
        cliente.close()
    except pulsar.PulsarException:
        cliente.shutdown()
