"""`Mensajeria`: publica y consume sobre un broker, en cualquier event loop o por su cuenta."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import structlog
from pydantic import BaseModel

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.aplicacion.hilos import entero
from seedwork.infraestructura import declaracion
from seedwork.infraestructura.brokers import (
    Broker,
    BrokerNoDisponible,
    ErrorBroker,
    Lector,
    Mensaje,
    Suscripcion,
    conectar,
)
from seedwork.infraestructura.codificacion import codificar, codificar_evento
from seedwork.infraestructura.configuracion import broker_del_entorno
from seedwork.infraestructura.consumidor import MotorConsumo
from seedwork.infraestructura.declaracion import Consumidor, Ruta, con_suscripcion
from seedwork.infraestructura.observabilidad import configurar_registro
from seedwork.infraestructura.outbox import DespachadorOutbox
from seedwork.infraestructura.procesador import Procesador
from seedwork.infraestructura.relay import Relay
from seedwork.infraestructura.sistema import Sistema, bootstrap

_log = structlog.get_logger(__name__)

GRACIA_S = 5.0


class ConsumidorRepetido(ErrorDeArranque):
    """Dos consumidores con la misma suscripción: se robarían los mensajes uno al otro."""


class Productor:
    """Publica mensajes sueltos, esperando el acuse del broker."""

    def __init__(self, mensajeria: Mensajeria) -> None:
        self._mensajeria = mensajeria

    async def send(self, topic: str, message: Any, *, key: str | None = None) -> None:
        """Publica `message` en JSON (o Avro si es un mensaje de integración); `BrokerNoDisponible` si no hay acuse."""
        servicio = self._mensajeria.servicio
        await self._mensajeria.broker.publicar([codificar(message, topico=topic, servicio=servicio, clave=key)])


class Mensajeria:
    """Un servicio frente a un broker: declara consumidores, publica, y lleva el relay del outbox si hay base.

    Sin `url` el broker sale del entorno (`BROKER_URL` y las variables de cada broker); por defecto, el embebido en
    `var/broker.db`. Con `bus` atiende también los consumidores de sus módulos. `consumir=False` sólo publica.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        servicio: str | None = None,
        bus: Sistema | None = None,
        base_datos: str | None = None,
        puertos: Mapping[Any, Any] | None = None,
        topico: str | None = None,
        consumir: bool = True,
    ) -> None:
        if bus is not None and (base_datos is not None or puertos is not None):
            raise ErrorDeArranque("Con `bus`, la base de datos y los puertos son los del bus")
        self.url = url or (bus and bus.url_broker) or broker_del_entorno()
        self.servicio = servicio or (bus.servicio if bus else "seedwork")
        self._bus = bus
        self._base_datos = base_datos
        self._puertos = puertos
        self._topico = topico
        self._consumir = consumir
        self._consumidores: dict[str, Consumidor] = {}
        if bus is not None:
            self.incluir(*[c for modulo in bus.modulos for c in modulo.consumidores])
        self._broker: Broker | None = None
        self._sistema: Sistema | None = None
        self._relay: Relay | None = None
        self._motores: list[MotorConsumo] = []
        self._tareas: list[asyncio.Task[None]] = []
        self._sueltos: deque[Mensaje] = deque()
        self._cartero: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._candado = asyncio.Lock()
        self._parar = asyncio.Event()
        self._conectados = 0

    # --- declarar -----------------------------------------------------------------------------------------------

    def incluir(self, *consumidores: Consumidor) -> None:
        """Añade consumidores declarados en otra parte; dos con la misma suscripción son un error."""
        for consumidor in consumidores:
            decidido = con_suscripcion(consumidor, self.servicio)
            suscripcion = decidido.suscripcion or ""
            if suscripcion in self._consumidores:
                raise ConsumidorRepetido(
                    f"{self._consumidores[suscripcion].nombre} y {decidido.nombre} usan la misma suscripción"
                    f" {suscripcion!r}: dé a uno otro nombre de caso de uso"
                )
            self._consumidores[suscripcion] = decidido

    @property
    def consumidores(self) -> tuple[Consumidor, ...]:
        """Los consumidores incluidos, cada uno con su suscripción."""
        return tuple(self._consumidores.values())

    def on_event(self, *nombres: str | Sequence[str], **opciones: Any) -> Callable[[Callable[..., Any]], Any]:
        """Como `seedwork.on_event`, y además lo incluye."""
        if self._topico is not None:
            opciones.setdefault("topic", self._topico)
        return self._declarar(declaracion.on_event(*nombres, **opciones))

    def message_handler(self, topic: str | Sequence[str], **opciones: Any) -> Callable[[Callable[..., Any]], Any]:
        """Como `seedwork.message_handler`, y además lo incluye."""
        return self._declarar(declaracion.message_handler(topic, **opciones))

    def consumer(self, group_id: str, **opciones: Any) -> Callable[[type], Consumidor]:
        """Como `seedwork.consumer`, y además lo incluye."""
        return self._declarar(declaracion.consumer(group_id, **opciones))

    def _declarar(self, decorador: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def incluir(objeto: Any) -> Any:
            declarado = decorador(objeto)
            if not isinstance(declarado, Ruta):
                self.incluir(declarado)
            return declarado

        return incluir

    # --- publicar -----------------------------------------------------------------------------------------------

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
        sistema, loop = self.sistema, self._loop
        assert loop is not None  # noqa: S101 - en marcha lo hay
        if _loop_en_curso() is loop:  # aquí no se puede esperar a la base
            self._encolar(mensaje)
        elif sistema.motor is not None:
            self._al_outbox(mensaje)
        else:
            loop.call_soon_threadsafe(self._encolar, mensaje)

    def get_producer(self) -> Productor:
        """Un productor que espera el acuse de cada mensaje."""
        return Productor(self)

    def _evento(self, nombre: str, datos: Any, topico: str | None, campo: str | None) -> Mensaje:
        if isinstance(datos, BaseModel):
            datos = datos.model_dump(mode="json")
        clave = None
        if campo is not None:
            if not isinstance(datos, Mapping) or campo not in datos:
                raise ValueError(f"El evento {nombre!r} no tiene el campo {campo!r} que debía darle la clave")
            clave = str(datos[campo])
        return codificar_evento(nombre, datos, servicio=self.servicio, topico=topico or self._topico, clave=clave)

    def _encolar(self, mensaje: Mensaje) -> None:
        self._sueltos.append(mensaje)
        if self._cartero is None or self._cartero.done():
            self._cartero = asyncio.create_task(self._repartir_sueltos())

    async def _repartir_sueltos(self) -> None:
        while self._sueltos:
            mensaje = self._sueltos.popleft()
            try:
                if self.sistema.motor is not None:
                    await self.sistema.en_hilo(self._al_outbox, mensaje)
                else:
                    await self.broker.publicar([mensaje])
            except Exception:  # noqa: BLE001 - quien lo pidió ya no está para saberlo
                _log.exception("mensajeria.evento_perdido", topico=mensaje.topico, id=mensaje.cabeceras["id"])

    def _al_outbox(self, mensaje: Mensaje) -> None:
        self.sistema.en_transaccion(lambda t: t.ambito.get(DespachadorOutbox).anadir(mensaje))

    # --- vivir --------------------------------------------------------------------------------------------------

    @property
    def broker(self) -> Broker:
        """El broker conectado; sólo mientras la mensajería está en marcha."""
        if self._broker is None:
            raise RuntimeError(
                "La mensajería no está en marcha: use `async with mensajeria:` o `await mensajeria.start()`"
            )
        return self._broker

    @property
    def sistema(self) -> Sistema:
        """El bus y la base con que trabaja; sólo mientras está en marcha."""
        if self._sistema is None:
            raise RuntimeError(
                "La mensajería no está en marcha: use `async with mensajeria:` o `await mensajeria.start()`"
            )
        return self._sistema

    async def start(self) -> None:
        """Conecta y empieza a consumir en el event loop en curso.

        Un error de declaración sale de aquí sin dejar nada abierto, y se puede volver a empezar.
        """
        if self._broker is not None:
            raise RuntimeError("La mensajería ya está en marcha")
        self._loop = asyncio.get_running_loop()
        self._broker = conectar(self.url)
        async with self._candado:
            try:
                sistema = self._bus if self._bus is not None else await entero(asyncio.to_thread(self._armar))
                self._sistema = sistema
                procesadores = [
                    (consumidor, Procesador(consumidor, sistema, self._broker.publicar))
                    for consumidor in self._por_consumir()
                ]
            except BaseException:
                await self._cerrar()
                raise
            for consumidor, procesador in procesadores:
                self._lanzar(self._atender(consumidor, procesador))
            if self._consumir and sistema.motor is not None:
                self._relay = Relay(sistema.motor, self._broker, sistema.aviso)
                self._lanzar(self._relay.correr())

    async def stop(self, gracia_s: float = GRACIA_S) -> None:
        """Para en orden: deja de tomar, termina o devuelve lo tomado, acusa y cierra. Espera hasta `gracia_s`."""
        if self._broker is None:
            return
        self._parar.set()
        async with self._candado:  # si está empezando, espera a que termine de empezar
            if self._broker is None:
                return
            await asyncio.sleep(0)  # lo que otros hilos encolaron antes de esta llamada
            for motor in self._motores:
                motor.parar()
            if self._relay is not None:
                self._relay.parar()
            limite = asyncio.get_running_loop().time() + gracia_s
            try:
                for tareas in (self._tareas, self._sueltas()):
                    await _terminar(tareas, limite)
            finally:
                await self._cerrar()

    def _sueltas(self) -> Iterator[asyncio.Task[None]]:
        if self._cartero is not None:
            yield self._cartero

    async def _cerrar(self) -> None:
        broker, sistema = self._broker, self._sistema
        self._motores, self._tareas, self._relay, self._cartero = [], [], None, None
        self._sueltos.clear()
        try:
            if broker is not None:
                await broker.cerrar()
        finally:
            if sistema is not None and sistema is not self._bus:
                await asyncio.to_thread(sistema.cerrar)
            self._broker = self._sistema = self._loop = None
            self._parar, self._candado = asyncio.Event(), asyncio.Lock()  # los de ahora quedaron atados a este loop

    def _lanzar(self, corrutina: Coroutine[Any, Any, None]) -> None:
        tarea = asyncio.create_task(corrutina)
        tarea.add_done_callback(_registrar_error)
        self._tareas.append(tarea)

    def _por_consumir(self) -> list[Consumidor]:
        return [c for c in self._consumidores.values() if c.auto_start] if self._consumir else []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def esperar(self) -> None:
        """Vuelve cuando alguien pida parar; lanza si un consumidor o el relay terminó por un error."""
        parar = asyncio.create_task(self._parar.wait())
        try:
            hechas, _ = await asyncio.wait([parar, *self._tareas], return_when=asyncio.FIRST_COMPLETED)
        finally:
            parar.cancel()
        for tarea in hechas - {parar}:
            tarea.result()

    def pedir_parada(self) -> None:
        """Pide parar desde cualquier hilo o manejador de señal; quien está en `esperar` sigue."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._parar.set)

    def run(self, *, al_estar_lista: Callable[[], None] | None = None) -> None:
        """Corre por su cuenta hasta SIGINT o SIGTERM, y para en orden.

        Si nadie configuró structlog, escribe los registros sin las variables de cada traza: llevan mensajes enteros.
        """
        if not structlog.is_configured():
            configurar_registro()
        asyncio.run(self.servir(al_estar_lista=al_estar_lista, senales=(signal.SIGINT, signal.SIGTERM)))

    async def servir(
        self, *, al_estar_lista: Callable[[], None] | None = None, senales: Iterable[signal.Signals] = ()
    ) -> None:
        """Vive hasta que pidan parar: lo que hace `run`, dentro de un event loop que ya existe."""
        self._loop = asyncio.get_running_loop()  # una señal que llegue antes de `start` también cuenta
        anteriores = {senal: signal.signal(senal, lambda *_: self.pedir_parada()) for senal in senales}
        try:
            async with self:
                await self.esperar_conectada()
                if al_estar_lista is not None:
                    al_estar_lista()
                await self.esperar()
        finally:
            for senal, anterior in anteriores.items():
                signal.signal(senal, anterior)

    async def esperar_conectada(self) -> None:
        """Vuelve cuando cada consumidor está en su suscripción, o cuando piden parar."""
        esperados = len(self._por_consumir())
        while self._conectados < esperados and not self._parar.is_set():
            for tarea in self._tareas:
                if tarea.done():
                    tarea.result()
            await asyncio.sleep(0.01)

    async def leer(self, topicos: Sequence[str], *, desde_hace_s: float = 0) -> Lector:
        """Una copia efímera de lo que pasa por esos tópicos, que no deja nada en el broker."""
        return await self.broker.leer(topicos, desde_hace_s=desde_hace_s)

    async def _atender(self, consumidor: Consumidor, procesador: Procesador) -> None:
        try:
            suscripcion = await self._suscribir(consumidor)
            if suscripcion is None:
                return
            motor = MotorConsumo(suscripcion, consumidor, procesador.procesar)
            self._motores.append(motor)
            if self._parar.is_set():
                motor.parar()
            self._conectados += 1
            try:
                await motor.correr()
            finally:
                self._conectados -= 1
        finally:
            procesador.cerrar()

    async def _suscribir(self, consumidor: Consumidor) -> Suscripcion | None:
        espera_s = 0.1
        while not self._parar.is_set():
            try:
                return await self.broker.suscribir(consumidor.suscripcion or "", consumidor.topicos)
            except BrokerNoDisponible as error:
                _log.warning("mensajeria.sin_broker", suscripcion=consumidor.suscripcion, error=str(error))
            try:
                async with asyncio.timeout(espera_s):
                    await self._parar.wait()
            except TimeoutError:
                espera_s = min(5.0, espera_s * 2)
        return None

    def _armar(self) -> Sistema:
        return bootstrap(base_datos=self._base_datos, broker=self.url, servicio=self.servicio, puertos=self._puertos)


async def _terminar(tareas: Iterable[asyncio.Task[None]], limite: float) -> None:
    if pendientes := set(tareas):
        resta_s = max(0.0, limite - asyncio.get_running_loop().time())
        _, tarde = await asyncio.wait(pendientes, timeout=resta_s)
        for tarea in tarde:
            tarea.cancel()
        await asyncio.gather(*tarde, return_exceptions=True)


def _registrar_error(tarea: asyncio.Task[None]) -> None:
    if not tarea.cancelled() and (error := tarea.exception()) is not None:
        dicho = isinstance(error, ErrorBroker)  # ya es una frase que lo explica
        _log.error("mensajeria.tarea_terminada", error=f"{type(error).__name__}: {error}", exc_info=not dicho and error)


def _loop_en_curso() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
