"""Lo que rodea a cada comando y query, y cómo se declaran los handlers de tras confirmar."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.firmas import FirmaInvalida
from seedwork.aplicacion.modulo import Modulo, tras_confirmar
from seedwork.aplicacion.queries import Query
from seedwork.dominio.eventos import EventoDominio
from seedwork.dominio.excepciones import ConflictoConcurrencia
from seedwork.infraestructura.comportamientos import registrar, reintentar_conflictos, trazar
from seedwork.infraestructura.sistema import Sistema, bootstrap


@dataclass(frozen=True)
class Sumar(Comando[int]):
    a: int


@dataclass(frozen=True)
class SumarAsync(Comando[int]):
    a: int


@dataclass(frozen=True)
class Leer(Query[str]):
    pass


def sumar(comando: Sumar) -> int:
    return 1 // comando.a


async def sumar_async(comando: SumarAsync) -> int:
    return 1 // comando.a


def leer(query: Leer) -> str:
    return "leído"


TABLAS = Modulo(nombre="sumas", comandos={Sumar: sumar, SumarAsync: sumar_async}, queries={Leer: leer})


@contextmanager
def _bus(*comportamientos: Any) -> Iterator[Sistema]:
    bus = bootstrap([TABLAS], comportamientos=comportamientos)
    yield bus
    bus.cerrar()


async def test_rodean_a_todos_el_primero_por_fuera_y_ven_el_error() -> None:
    visto: list[str] = []

    def que(nombre: str) -> Any:
        @contextmanager
        def comportamiento(mensaje: Any) -> Iterator[None]:
            visto.append(f"{nombre} {type(mensaje).__name__}")
            try:
                yield
            except ZeroDivisionError:
                visto.append(f"{nombre} falló")
                raise

        return comportamiento

    with _bus(que("fuera"), que("dentro")) as bus:
        assert bus.ejecutar(Leer()) == "leído"
        assert await bus.ejecutar_async(SumarAsync(1)) == 1
        with pytest.raises(ZeroDivisionError):
            await bus.ejecutar_async(SumarAsync(0))
        with pytest.raises(ZeroDivisionError):
            bus.ejecutar(Sumar(0))
    assert visto == [
        *("fuera Leer", "dentro Leer"),
        *("fuera SumarAsync", "dentro SumarAsync"),
        *("fuera SumarAsync", "dentro SumarAsync", "dentro falló", "fuera falló"),
        *("fuera Sumar", "dentro Sumar", "dentro falló", "fuera falló"),
    ]


def test_si_uno_falla_al_entrar_el_handler_no_corre_y_los_de_fuera_se_cierran() -> None:
    visto: list[str] = []

    @contextmanager
    def fuera(_mensaje: Any) -> Iterator[None]:
        try:
            yield
        finally:
            visto.append("cerrado")

    def dentro(_mensaje: Any) -> Any:
        raise PermissionError("hoy no")

    with _bus(fuera, dentro) as bus, pytest.raises(PermissionError, match="hoy no"):
        bus.ejecutar(Sumar(1))
    assert visto == ["cerrado"]


def test_registrar_deja_una_linea_con_lo_que_tardo_y_el_error() -> None:
    with _bus(registrar) as bus, capture_logs() as lineas:
        bus.ejecutar(Sumar(1))
        with pytest.raises(ZeroDivisionError):
            bus.ejecutar(Sumar(0))
    bien, mal = lineas
    assert bien["mensaje"].endswith("test_bus_comportamientos.Sumar")
    assert bien["duracion_ms"] >= 0
    assert bien["error"] is None
    assert mal["error"].startswith("ZeroDivisionError")
    assert logging.getLevelName(logging.INFO).lower() == bien["log_level"]


def test_trazar_abre_un_span_por_mensaje_y_apunta_el_error(monkeypatch: pytest.MonkeyPatch) -> None:
    exportador = InMemorySpanExporter()
    proveedor = TracerProvider()
    proveedor.add_span_processor(SimpleSpanProcessor(exportador))
    monkeypatch.setattr(trace, "get_tracer", proveedor.get_tracer)  # el global sólo se puede fijar una vez
    with _bus(trazar) as bus:
        bus.ejecutar(Sumar(1))
        with pytest.raises(ZeroDivisionError):
            bus.ejecutar(Sumar(0))
    bien, mal = exportador.get_finished_spans()
    assert bien.name.endswith("test_bus_comportamientos.Sumar")
    assert bien.status.is_ok
    assert not mal.status.is_ok
    proveedor.shutdown()


def _insistir(maximo: int, fallos: list[Exception]) -> int:
    """Cuántos intentos hubo hasta que uno no falló."""
    hechos = 0
    for intento in reintentar_conflictos(maximo):
        with intento:
            hechos += 1
            if fallos:
                raise fallos.pop(0)
    return hechos


def test_el_reintento_se_traga_solo_la_perdida_del_bloqueo_y_solo_mientras_queden_intentos() -> None:
    conflicto = ConflictoConcurrencia("otro")
    assert _insistir(3, []) == 1
    assert _insistir(3, [conflicto, conflicto]) == 3
    with pytest.raises(ConflictoConcurrencia):
        _insistir(2, [conflicto, conflicto])
    with pytest.raises(ZeroDivisionError):
        _insistir(2, [ZeroDivisionError()])


@dataclass(frozen=True, kw_only=True)
class Sumado(EventoDominio):
    pass


def _de_otro(evento: Leer) -> None: ...


async def _async(evento: Sumado) -> None: ...


def test_un_handler_de_tras_confirmar_puede_ser_async_y_su_firma_se_comprueba_al_arrancar() -> None:
    bootstrap(eventos={Sumado: [tras_confirmar(_async)]}).cerrar()
    with pytest.raises(FirmaInvalida, match=r"_async .* salvo con `tras_confirmar`"):
        bootstrap(eventos={Sumado: [_async]})
    with pytest.raises(FirmaInvalida, match=r"_de_otro atiende .*Sumado"):
        bootstrap(eventos={Sumado: [tras_confirmar(_de_otro)]})


def test_lo_marcado_se_puede_llamar_como_lo_que_es() -> None:
    assert tras_confirmar(sumar)(Sumar(1)) == 1
