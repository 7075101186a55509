"""`Mensajeria`: publica y consume sobre un broker, en cualquier event loop o por su cuenta."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Self

import structlog

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.aplicacion.hilos import entero
from seedwork.infraestructura import declaracion
from seedwork.infraestructura.brokers import (
    BrokerConEsquemas,
    BrokerNoDisponible,
    ErrorBroker,
    Lector,
    Mensaje,
    RegistroEsquemas,
    Suscripcion,
    conectar,
)
from seedwork.infraestructura.configuracion import broker_del_entorno
from seedwork.infraestructura.consumidor import MotorConsumo
from seedwork.infraestructura.declaracion import Consumidor, Ruta, con_suscripcion
from seedwork.infraestructura.esquemas import registros_en
from seedwork.infraestructura.lectura import leer
from seedwork.infraestructura.observabilidad import configurar_registro
from seedwork.infraestructura.procesador import Procesador
from seedwork.infraestructura.proyecciones import Proyeccion, reunir_proyecciones
from seedwork.infraestructura.proyecciones.alimentador import Alimentador
from seedwork.infraestructura.publicador import Publicador
from seedwork.infraestructura.relay import Relay
from seedwork.infraestructura.sagas.temporizador import Temporizador
from seedwork.infraestructura.sesion_async import BaseAsincrona, base_asincrona
from seedwork.infraestructura.sistema import Sistema, bootstrap

_log = structlog.get_logger(__name__)

GRACIA_S = 5.0
_REMATE_S = 0.5  # lo que se espera a lo cancelado: con el cierre del broker, todo cabe en los 10 s que da un contenedor


class ConsumidorRepetido(ErrorDeArranque):
    """Dos consumidores con la misma suscripción: se robarían los mensajes uno al otro."""


class Mensajeria(Publicador):
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
        super().__init__(servicio or (bus.servicio if bus else "seedwork"), topico)
        self.url = url or (bus and bus.url_broker) or broker_del_entorno()
        self._bus = bus
        self._base_datos = base_datos
        self._puertos = puertos
        self._consumir = consumir
        self._elegidos: frozenset[str] | None = None
        self._consumidores: dict[str, Consumidor] = {}
        if bus is not None:
            self.incluir(*[c for modulo in bus.modulos for c in modulo.consumidores])
        self._relay: Relay | None = None
        self._temporizador: Temporizador | None = None
        self._asincrona: BaseAsincrona | None = None
        self._motores: list[MotorConsumo] = []
        self._tareas: list[asyncio.Task[None]] = []
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
        reunir_proyecciones(self._consumidores.values())

    @property
    def consumidores(self) -> tuple[Consumidor, ...]:
        """Los consumidores incluidos, cada uno con su suscripción."""
        return tuple(self._consumidores.values())

    @property
    def registros(self) -> tuple[type, ...]:
        """Los registros de lo que atienden sus consumidores y de lo que publican los módulos del bus."""
        atendidos = [ruta.firma.mensaje for consumidor in self.consumidores for ruta in consumidor.rutas]
        modulos = () if self._bus is None else self._bus.modulos
        publicados = [tipo for modulo in modulos for tipos in modulo.publica.values() for tipo in tipos]
        declarados_en = dict.fromkeys(sys.modules[tipo.__module__] for tipo in [*atendidos, *publicados])
        return tuple(registro for modulo in declarados_en for registro in registros_en(modulo))

    def on_event(self, *nombres: str | Sequence[str], **opciones: Any) -> Callable[[Callable[..., Any]], Any]:
        """Como `seedwork.on_event`, y además lo incluye."""
        if self.topico is not None:
            opciones.setdefault("topic", self.topico)
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

    def elegir(self, suscripciones: Collection[str]) -> None:
        """Arrancarán sólo esos consumidores, por su suscripción y aunque sean `auto_start=False`, además del relay.

        Antes de `start`. Un nombre que no está es un `ValueError`.
        """
        if ajenas := sorted({*suscripciones} - self._consumidores.keys()):
            raise ValueError(f"No hay consumidor con la suscripción {', '.join(ajenas)}")
        self._elegidos, self._consumir = frozenset(suscripciones), True

    # --- vivir --------------------------------------------------------------------------------------------------

    @property
    def bus(self) -> Sistema | None:
        """El bus cuyos módulos atiende, si se le dio uno."""
        return self._bus

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
                self._asincrona = base_asincrona(self._por_consumir(), sistema.motor)
                procesadores = [
                    (consumidor, self._procesador(consumidor, sistema)) for consumidor in self._por_consumir()
                ]
            except BaseException:
                await self._cerrar()
                raise
            for consumidor, procesador in procesadores:
                self._lanzar(self._atender(consumidor, procesador))
            if self._consumir and sistema.motor is not None:
                self._relay = Relay(sistema.motor, self._broker, sistema.aviso)
                self._lanzar(self._relay.correr())
                if sistema.sagas:
                    self._temporizador = Temporizador(sistema)
                    self._lanzar(self._temporizador.correr())

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
            if self._temporizador is not None:
                self._temporizador.parar()
            limite = asyncio.get_running_loop().time() + gracia_s
            try:
                for tareas in (self._tareas, self._cartero.pendiente()):
                    await _terminar(tareas, limite)
            finally:
                await self._cerrar()

    async def _cerrar(self) -> None:
        broker, sistema, asincrona = self._broker, self._sistema, self._asincrona
        self._motores, self._tareas, self._relay, self._asincrona = [], [], None, None
        self._temporizador = None
        self._cartero.vaciar()
        try:
            if broker is not None:
                await broker.cerrar()
            if asincrona is not None:
                await asincrona.cerrar()
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
        if not self._consumir:
            return []
        elegidos = self._elegidos
        if elegidos is None:
            return [consumidor for consumidor in self._consumidores.values() if consumidor.auto_start]
        return [consumidor for suscripcion, consumidor in self._consumidores.items() if suscripcion in elegidos]

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

    async def decodificar(self, mensaje: Mensaje, tipo: Any) -> Any:
        """El contenido de un mensaje leído, como `tipo`; los errores, los de `codificacion.decodificar`.

        Como a los consumidores, una versión que aquí no se conoce se le pide al registro de esquemas del broker, si lo
        tiene: de eso puede salir `BrokerNoDisponible`.
        """
        return await leer(mensaje, tipo, self._esquemas)

    @property
    def _esquemas(self) -> RegistroEsquemas | None:
        return self.broker.esquemas if isinstance(self.broker, BrokerConEsquemas) else None

    def _procesador(self, consumidor: Consumidor, sistema: Sistema) -> Procesador | Alimentador:
        if isinstance(consumidor, Proyeccion):
            return Alimentador(consumidor, sistema, self._esquemas)
        return Procesador(consumidor, sistema, self.broker.publicar, self._asincrona, self._esquemas)

    async def _atender(self, consumidor: Consumidor, procesador: Procesador | Alimentador) -> None:
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
        if tarde:  # quien siga esperando al broker lo soltará cuando se cierre
            await asyncio.wait(tarde, timeout=_REMATE_S)


def _registrar_error(tarea: asyncio.Task[None]) -> None:
    if not tarea.cancelled() and (error := tarea.exception()) is not None:
        dicho = isinstance(error, ErrorBroker)  # ya es una frase que lo explica
        _log.error("mensajeria.tarea_terminada", error=f"{type(error).__name__}: {error}", exc_info=not dicho and error)
