"""Los vecinos de `benchmarks.despacho`, haciendo lo mismo con su API pública; sólo los que estén instalados."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Llamada = tuple[str, Callable[[Any], Any], Any, bool]
"""Cómo se llama, qué se llama, con qué, y si se espera con `await`."""


def vecinos() -> Iterator[Llamada]:
    for de_uno in (_mediatr, _python_cqrs):
        try:
            yield from de_uno()
        except ImportError:
            continue


def _mediatr() -> Iterator[Llamada]:
    from mediatr import Mediator  # type: ignore[import-not-found]

    class Sumar:
        a = 1

    class SumarEnClase:
        a = 1

    class SumarAsync:
        a = 1

    def sumar(peticion: Sumar) -> int:
        return peticion.a + 1

    class Sumador:
        def handle(self, peticion: SumarEnClase) -> int:
            return peticion.a + 1

    async def sumar_async(peticion: SumarAsync) -> int:
        return peticion.a + 1

    for handler, peticion in ((sumar, Sumar), (Sumador.handle, SumarEnClase), (sumar_async, SumarAsync)):
        handler.__annotations__["peticion"] = peticion  # mediatr lee la anotación, que aquí sería un texto
    for handler in (sumar, Sumador, sumar_async):
        Mediator.register_handler(handler)
    mediador = Mediator()
    yield "mediatr, función", mediador.send, Sumar(), False
    yield "mediatr, clase", mediador.send, SumarEnClase(), False
    yield "mediatr, async def", mediador.send_async, SumarAsync(), True


def _python_cqrs() -> Iterator[Llamada]:
    import cqrs  # type: ignore[import-not-found]
    import di
    from cqrs.bootstrap import requests  # type: ignore[import-not-found]

    logging.getLogger("cqrs").setLevel(logging.WARNING)

    class Sumar(cqrs.Request[None]):  # type: ignore[misc]
        a: int

    class SumarConEvento(cqrs.Request[None]):  # type: ignore[misc]
        a: int

    class Sumado(cqrs.DomainEvent):  # type: ignore[misc]
        a: int

    class Sumador(cqrs.RequestHandler[Sumar, None]):  # type: ignore[misc]
        async def handle(self, request: Any) -> None:
            del request

    class SumadorConEvento(cqrs.RequestHandler[SumarConEvento, None]):  # type: ignore[misc]
        def __init__(self) -> None:
            self._eventos: list[Any] = []

        @property
        def events(self) -> Sequence[Any]:
            return self._eventos

        async def handle(self, request: Any) -> None:
            self._eventos.append(Sumado(a=request.a))

    class AlSumar(cqrs.EventHandler[Sumado]):  # type: ignore[misc]
        async def handle(self, event: Any) -> None:
            del event

    def peticiones(mapa: Any) -> None:
        mapa.bind(Sumar, Sumador)
        mapa.bind(SumarConEvento, SumadorConEvento)

    mediador = requests.bootstrap(
        di.Container(), commands_mapper=peticiones, domain_events_mapper=lambda mapa: mapa.bind(Sumado, AlSumar)
    )
    yield "python-cqrs, clase async", mediador.send, Sumar(a=1), True
    yield "python-cqrs, comando y evento", mediador.send, SumarConEvento(a=1), True
