"""El bus: un comando o una query, un handler; todo resuelto al arrancar."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast, overload

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.compilacion import Ambito, HandlerCompilado, Puertos
from seedwork.aplicacion.comportamientos import Alrededor, Comportamiento
from seedwork.aplicacion.diferidas import EjecucionesDiferidas
from seedwork.aplicacion.firmas import nombre_de
from seedwork.aplicacion.hilos import correr_en
from seedwork.aplicacion.mensajes import Entrada, Inbox
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.queries import Query
from seedwork.aplicacion.tablas import HandlerRepetido as HandlerRepetido
from seedwork.aplicacion.tablas import SinHandler as SinHandler
from seedwork.aplicacion.tablas import compilar_eventos, compilar_tabla
from seedwork.aplicacion.transaccion import Recursos, Transaccion

R = TypeVar("R")
Ejecutor = Callable[[Any], Any]
Intentos = Iterable[AbstractContextManager[Any]]
"""Un context manager por intento, que se traga lo que otra transacción hizo perder si todavía queda otro."""
AlFallarEvento = Callable[[Any, str, Exception], None]
"""Recibe el evento, el nombre del handler y el error de una reacción que no lo lanza."""


class Bus:
    """Ejecuta comandos y queries; `ejecutar` desde código síncrono y `ejecutar_async` desde un event loop.

    Un comando corre en una transacción propia, que se confirma si su handler termina bien; si otra la hizo perder
    (bloqueo optimista, interbloqueo, base ocupada) se vuelve a intentar desde cero, tantas veces como diga `intentos`.
    Una query corre en una de sólo lectura. Un handler que no pide nada de la unidad de trabajo corre sin transacción
    alguna. Los `comportamientos` rodean cada ejecución, el primero por fuera.
    """

    def __init__(
        self,
        modulos: Iterable[Modulo],
        puertos: Puertos,
        recursos: Recursos,
        *,
        intentos: Intentos,
        comportamientos: Sequence[Comportamiento] = (),
        al_fallar_evento: AlFallarEvento | None = None,
        hilos: int = 16,
    ) -> None:
        """Sin `al_fallar_evento`, el error de un handler de tras confirmar se lanza a quien ejecutó el comando."""
        self.modulos = tuple(modulos)
        self._recursos = recursos
        self._intentos = intentos
        self._alrededor = Alrededor(comportamientos)
        self._al_fallar_evento = al_fallar_evento
        self._hilos = ThreadPoolExecutor(hilos, thread_name_prefix="bus")
        self._hilos_de_cierre = ThreadPoolExecutor(hilos, thread_name_prefix="bus-cierre")
        self._eventos, self._reacciones = compilar_eventos(self.modulos, puertos)
        comandos = compilar_tabla(self.modulos, "comandos", puertos)
        queries = compilar_tabla(self.modulos, "queries", puertos)
        self.comandos: Mapping[type, HandlerCompilado] = comandos
        self._ejecutores: dict[type, Ejecutor] = {
            **{tipo: self._ejecutor(handler) for tipo, handler in comandos.items()},
            **{tipo: self._lector(handler) for tipo, handler in queries.items()},
        }
        self._en_el_loop = {
            tipo: handler.llamar
            for tipo, handler in (comandos | queries).items()
            if handler.es_async and not handler.transaccional
        }

    @overload
    def ejecutar(self, mensaje: Comando[R]) -> R: ...
    @overload
    def ejecutar(self, mensaje: Query[R]) -> R: ...
    def ejecutar(self, mensaje: Any) -> Any:
        """Ejecuta y devuelve lo que devuelve el handler; los errores del handler salen tal cual."""
        try:
            ejecutor = self._ejecutores[type(mensaje)]
        except KeyError:
            raise _sin_handler(mensaje) from None
        if not self._alrededor:
            return ejecutor(mensaje)
        with self._alrededor(mensaje):
            return ejecutor(mensaje)

    @overload
    async def ejecutar_async(self, mensaje: Comando[R]) -> R: ...
    @overload
    async def ejecutar_async(self, mensaje: Query[R]) -> R: ...
    async def ejecutar_async(self, mensaje: Any) -> Any:
        """Como `ejecutar`, sin ocupar el event loop: lo que bloquea corre en los hilos del bus."""
        if (llamar := self._en_el_loop.get(type(mensaje))) is not None:
            if not self._alrededor:
                return await llamar(mensaje, None)
            with self._alrededor(mensaje):
                return await llamar(mensaje, None)
        return await self.en_hilo(self.ejecutar, mensaje)

    def ejecutar_una_vez(self, comando: Comando[R], entrada: Entrada) -> R:
        """Ejecuta el comando y anota la entrada en la misma transacción.

        Lanza `YaProcesada` (con el resultado de entonces, como texto) si la entrada ya tuvo efecto, y
        `HuellaDistinta` si su id se usó con otro contenido.
        """

        def llamar(transaccion: Transaccion) -> R:
            inbox = cast("Inbox", transaccion.ambito.get(Inbox))
            inbox.anotar(entrada)
            resultado = self.ejecutar_en(transaccion, comando)
            inbox.responder(entrada, str(resultado))
            return resultado

        return self.en_transaccion(llamar)

    def ejecutar_despues(self, comando: Comando[Any], *, espera_s: float = 0.0) -> str:
        """Deja el comando para que lo ejecute otro proceso dentro de `espera_s` segundos, como pronto.

        Al volver ya no se pierde; devuelve el id de la ejecución. Los errores, los de `EjecucionesDiferidas`. Dentro de
        un handler se pide ese puerto, y el comando sale si la transacción del handler se confirma.
        """
        return self.en_transaccion(
            lambda t: cast("str", t.ambito.get(EjecucionesDiferidas).ejecutar_despues(comando, espera_s=espera_s))
        )

    def ejecutar_en(self, transaccion: Transaccion, comando: Comando[R]) -> R:
        """Ejecuta el comando dentro de una transacción ya abierta, que confirma quien la abrió."""
        try:
            handler = self.comandos[type(comando)]
        except KeyError:
            raise _sin_handler(comando) from None
        with self._alrededor(comando):
            return cast("R", _completar(handler.llamar(comando, transaccion.ambito)))

    def en_transaccion(self, funcion: Callable[[Transaccion], R]) -> R:
        """Llama a `funcion` en una transacción y la confirma; la repite entera si otra la hizo perder."""
        for intento in self._intentos:
            with intento, self.transaccion() as transaccion:
                resultado = funcion(transaccion)
                transaccion.confirmar()
        self.reaccionar(transaccion)
        return resultado

    def reaccionar(self, transaccion: Transaccion) -> None:
        """Llama a los handlers de tras confirmar de los eventos de una transacción ya confirmada y cerrada.

        Cada uno corre en la suya y corren todos, aunque alguno falle; si los errores se lanzan, sale el primero.
        """
        errores: list[Exception] = []
        for evento in transaccion.confirmados:
            for handler in self._reacciones.get(type(evento), ()):
                try:
                    self._ejecutor(handler)(evento)
                except Exception as error:  # noqa: BLE001 - lo confirmado ya no depende de esto
                    errores.append(error)
                    if self._al_fallar_evento is not None:
                        self._al_fallar_evento(evento, handler.nombre, error)
        if errores and self._al_fallar_evento is None:
            raise errores[0]

    def transaccion(self) -> Transaccion:
        """Una transacción sin abrir; quien la abre la confirma."""
        return Transaccion(self._recursos, self._eventos)

    def leer(self, funcion: Callable[[Ambito], R]) -> R:
        """Llama a `funcion` con los puertos de una transacción de sólo lectura."""
        with self._recursos.abrir(solo_lectura=True) as (_, ambito):
            return funcion(ambito)

    async def en_hilo(self, funcion: Callable[..., R], *argumentos: Any) -> R:
        """Corre algo que bloquea en los hilos del bus, con el contexto de quien llama."""
        return await correr_en(self._hilos, funcion, *argumentos)

    async def al_cerrar(self, funcion: Callable[..., R], *argumentos: Any) -> R:
        """Como `en_hilo`, para terminar una transacción abierta: nunca detrás de quien espera a que termine."""
        return await correr_en(self._hilos_de_cierre, funcion, *argumentos)

    def cerrar(self) -> None:
        """Espera lo que esté corriendo en los hilos del bus."""
        self._hilos.shutdown(wait=True)
        self._hilos_de_cierre.shutdown(wait=True)

    def _ejecutor(self, handler: HandlerCompilado) -> Ejecutor:
        llamar = handler.llamar
        if not handler.transaccional:
            return (lambda m: _completar(llamar(m, None))) if handler.es_async else (lambda m: llamar(m, None))
        return lambda m: self.en_transaccion(lambda t: _completar(llamar(m, t.ambito)))

    def _lector(self, handler: HandlerCompilado) -> Ejecutor:
        if not handler.transaccional:
            return self._ejecutor(handler)

        return lambda query: self.leer(lambda ambito: _completar(handler.llamar(query, ambito)))


def _completar(valor: Any) -> Any:
    """Termina un handler `async def` desde un hilo sin event loop."""
    if not asyncio.iscoroutine(valor):
        return valor
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(valor)
    valor.close()
    raise RuntimeError("Dentro de un event loop use `await bus.ejecutar_async(...)`")


def _sin_handler(mensaje: Any) -> SinHandler:
    return SinHandler(f"Ningún módulo atiende {nombre_de(type(mensaje))}")
