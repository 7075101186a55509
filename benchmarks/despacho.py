"""Qué cuesta despachar: un comando trivial, con handlers de cada clase, y un comando con un evento de dominio.

`python -m benchmarks.despacho [VECES]`. Cada cifra es la mediana de cinco vueltas alternadas, en llamadas por segundo;
la razón es frente a llamar la función sin nada en medio. La unidad de trabajo es de memoria: se mide el despacho, no la
base de datos. Los vecinos que estén instalados (`mediatr`, `python-cqrs`) hacen lo mismo en la misma corrida.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from benchmarks.vecinos_despacho import vecinos

from seedwork.aplicacion.bus import Bus
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.uow import UnidadTrabajo
from seedwork.dominio.entidades import AgregacionRaiz
from seedwork.dominio.eventos import EventoDominio, nuevo_id
from seedwork.infraestructura.dependencias import Dependencias

VUELTAS = 5
Camino = tuple[str, Callable[[int], Any]]


@dataclass(frozen=True)
class Sumar(Comando[int]):
    a: int


@dataclass(frozen=True)
class SumarEnClase(Comando[int]):
    a: int


@dataclass(frozen=True)
class SumarAsync(Comando[int]):
    a: int


@dataclass(frozen=True)
class SumarConEvento(Comando[int]):
    a: int


@dataclass(frozen=True, kw_only=True)
class Sumado(EventoDominio):
    a: int


def sumar(comando: Sumar) -> int:
    return comando.a + 1


class Sumador:
    def handle(self, comando: SumarEnClase) -> int:
        return comando.a + 1


async def sumar_async(comando: SumarAsync) -> int:
    return comando.a + 1


def sumar_con_evento(comando: SumarConEvento, uow: UnidadTrabajo) -> int:
    suma = AgregacionRaiz(id=nuevo_id())
    suma.registrar(Sumado(a=comando.a))
    uow.seguir(suma)
    return comando.a + 1


def al_sumar(evento: Sumado) -> None:
    del evento


class EnMemoria:
    """Una unidad de trabajo que no guarda nada."""

    def __init__(self) -> None:
        self.vistos: list[AgregacionRaiz] = []

    def seguir(self, agregado: AgregacionRaiz) -> None:
        self.vistos.append(agregado)

    def extraer_eventos(self) -> list[EventoDominio]:
        return [evento for agregado in self.vistos for evento in agregado.extraer_eventos()]

    def commit(self) -> None:
        self.vistos.clear()


class Recursos:
    @contextmanager
    def abrir(self, *, solo_lectura: bool) -> Iterator[tuple[Any, Any]]:
        del solo_lectura
        uow = EnMemoria()
        yield uow, {UnidadTrabajo: uow}


@singledispatch
def despachar(mensaje: object) -> int:
    raise TypeError(mensaje)


despachar.register(Sumar, sumar)


def armar() -> Bus:
    modulo = Modulo(
        nombre="sumas",
        comandos={
            Sumar: sumar,
            SumarEnClase: Sumador,
            SumarAsync: sumar_async,
            SumarConEvento: sumar_con_evento,
        },
        eventos={Sumado: [al_sumar]},
    )
    dependencias = Dependencias({}, por_mensaje=(UnidadTrabajo,))
    return Bus([modulo], dependencias, Recursos(), intentos=[nullcontext()])  # type: ignore[arg-type]


def repetir(funcion: Callable[[Any], Any], mensaje: Any) -> Callable[[int], None]:
    def correr(veces: int) -> None:
        for _ in range(veces):
            funcion(mensaje)

    return correr


def repetir_async(funcion: Callable[[Any], Awaitable[Any]], mensaje: Any) -> Callable[[int], None]:
    async def todas(veces: int) -> None:
        for _ in range(veces):
            await funcion(mensaje)

    return lambda veces: asyncio.run(todas(veces))


def caminos(bus: Bus) -> Iterator[Camino]:
    yield "función a secas", repetir(sumar, Sumar(1))
    yield "singledispatch", repetir(despachar, Sumar(1))
    yield "seedwork, función", repetir(bus.ejecutar, Sumar(1))
    yield "seedwork, clase", repetir(bus.ejecutar, SumarEnClase(1))
    yield "async a secas", repetir_async(sumar_async, SumarAsync(1))
    yield "seedwork, async def", repetir_async(bus.ejecutar_async, SumarAsync(1))
    yield "seedwork, comando y evento en una transacción", repetir(bus.ejecutar, SumarConEvento(1))
    for nombre, llamar, mensaje, es_async in vecinos():
        yield nombre, (repetir_async if es_async else repetir)(llamar, mensaje)


def medir(veces: int) -> dict[str, float]:
    bus = armar()
    cifras: dict[str, list[float]] = {}
    todos = list(caminos(bus))
    for _ in range(VUELTAS):
        for nombre, camino in todos:
            empezo = time.perf_counter()
            camino(veces)
            cifras.setdefault(nombre, []).append(veces / (time.perf_counter() - empezo))
    bus.cerrar()
    return {nombre: statistics.median(valores) for nombre, valores in cifras.items()}


if __name__ == "__main__":
    medianas = medir(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    piso = medianas["función a secas"]
    for nombre, por_segundo in medianas.items():
        sys.stdout.write(f"{nombre:48} {por_segundo:12,.0f} /s   1/{piso / por_segundo:.1f}\n")
