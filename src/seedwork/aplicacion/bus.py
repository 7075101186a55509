"""El bus: un comando o una query, un handler; todo resuelto al arrancar."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
import typing
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast, overload

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.compilacion import Ambito, HandlerCompilado, Puertos, compilar
from seedwork.aplicacion.firmas import ErrorDeArranque, FirmaInvalida, nombre_de
from seedwork.aplicacion.hilos import correr_en
from seedwork.aplicacion.mensajes import Entrada, Inbox
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.queries import Query
from seedwork.aplicacion.transaccion import Eventos, Recursos, Transaccion
from seedwork.dominio.excepciones import ConflictoConcurrencia

R = TypeVar("R")
Ejecutor = Callable[[Any], Any]


class SinHandler(ErrorDeArranque):
    """Nadie atiende ese mensaje."""


class HandlerRepetido(ErrorDeArranque):
    """Dos handlers quieren el mismo comando o la misma query."""


class Bus:
    """Ejecuta comandos y queries; `ejecutar` desde código síncrono y `ejecutar_async` desde un event loop.

    Un comando corre en una transacción propia, que se confirma si su handler termina bien; si pierde el bloqueo
    optimista se vuelve a intentar desde cero, hasta `intentos` veces. Una query corre en una de sólo lectura.
    Un handler que no pide nada de la unidad de trabajo corre sin transacción alguna.
    """

    def __init__(
        self,
        modulos: Iterable[Modulo],
        puertos: Puertos,
        recursos: Recursos,
        *,
        intentos: int = 3,
        hilos: int = 16,
    ) -> None:
        self.modulos = tuple(modulos)
        self._recursos = recursos
        self._intentos = intentos
        self._hilos = ThreadPoolExecutor(hilos, thread_name_prefix="bus")
        self._hilos_de_cierre = ThreadPoolExecutor(hilos, thread_name_prefix="bus-cierre")
        self._eventos = _compilar_eventos(self.modulos, puertos)
        comandos = _compilar_tabla(self.modulos, "comandos", puertos)
        queries = _compilar_tabla(self.modulos, "queries", puertos)
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
            raise SinHandler(f"Ningún módulo atiende {nombre_de(type(mensaje))}") from None
        return ejecutor(mensaje)

    @overload
    async def ejecutar_async(self, mensaje: Comando[R]) -> R: ...
    @overload
    async def ejecutar_async(self, mensaje: Query[R]) -> R: ...
    async def ejecutar_async(self, mensaje: Any) -> Any:
        """Como `ejecutar`, sin ocupar el event loop: lo que bloquea corre en los hilos del bus."""
        if (llamar := self._en_el_loop.get(type(mensaje))) is not None:
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

    def ejecutar_en(self, transaccion: Transaccion, comando: Comando[R]) -> R:
        """Ejecuta el comando dentro de una transacción ya abierta, que confirma quien la abrió."""
        try:
            handler = self.comandos[type(comando)]
        except KeyError:
            raise SinHandler(f"Ningún módulo atiende {nombre_de(type(comando))}") from None
        return cast("R", _completar(handler.llamar(comando, transaccion.ambito)))

    def en_transaccion(self, funcion: Callable[[Transaccion], R]) -> R:
        """Llama a `funcion` en una transacción y la confirma; la repite entera si pierde el bloqueo optimista."""
        for intento in range(1, self._intentos + 1):
            try:
                with self.transaccion() as transaccion:
                    resultado = funcion(transaccion)
                    transaccion.confirmar()
                    return resultado
            except ConflictoConcurrencia:
                if intento == self._intentos:
                    raise
                time.sleep(random.uniform(0, 0.01 * 2**intento))  # noqa: S311 - separa a los que compiten
        raise AssertionError("intentos debe ser al menos 1")

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


def _compilar_tabla(modulos: tuple[Modulo, ...], tabla: str, puertos: Puertos) -> dict[type, HandlerCompilado]:
    compilados: dict[type, HandlerCompilado] = {}
    duenos: dict[type, str] = {}
    for modulo in modulos:
        for tipo, handler in getattr(modulo, tabla).items():
            if tipo in compilados:
                raise HandlerRepetido(
                    f"{nombre_de(tipo)} tiene dos handlers: {compilados[tipo].nombre} (módulo {duenos[tipo]}) "
                    f"y {nombre_de(handler)} (módulo {modulo.nombre})"
                )
            if issubclass(tipo, Query if tabla == "comandos" else Comando):
                raise ErrorDeArranque(f"{nombre_de(tipo)} no va en `{tabla}` del módulo {modulo.nombre}")
            compilados[tipo] = compilar(handler, puertos)
            duenos[tipo] = modulo.nombre
            if compilados[tipo].mensaje is not tipo:
                raise FirmaInvalida(
                    f"{compilados[tipo].nombre} atiende {nombre_de(tipo)} pero su primer parámetro es de tipo "
                    f"{nombre_de(compilados[tipo].mensaje)}"
                )
    return compilados


def _compilar_eventos(modulos: tuple[Modulo, ...], puertos: Puertos) -> Eventos:
    compilados: dict[type, list[HandlerCompilado]] = {}
    for modulo in modulos:
        for tipo, handlers in modulo.eventos.items():
            for handler in handlers:
                compilado = compilar(handler, puertos)
                if not _acepta(compilado.mensaje, tipo):
                    raise FirmaInvalida(
                        f"{compilado.nombre} atiende {nombre_de(tipo)} pero su primer parámetro es de tipo "
                        f"{nombre_de(compilado.mensaje)}"
                    )
                if compilado.es_async:
                    raise FirmaInvalida(
                        f"{compilado.nombre} atiende eventos de dominio: debe ser `def`, no `async def`"
                    )
                compilados.setdefault(tipo, []).append(compilado)
    return compilados


def _acepta(declarado: Any, tipo: type) -> bool:
    """Si un parámetro `declarado` (una clase, una base común o una unión) admite un evento de ese tipo."""
    opciones = typing.get_args(declarado) or (declarado,)
    return Any in opciones or any(inspect.isclass(opcion) and issubclass(tipo, opcion) for opcion in opciones)
