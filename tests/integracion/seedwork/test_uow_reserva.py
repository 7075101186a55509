"""Dos que escriben la misma reserva a la vez, con bloqueo optimista y con pesimista, en SQLite y en PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from tests.integracion.seedwork.bases import EN_AMBAS

from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva
from aeroalpes.modulos.vuelos.aplicacion.dto import AeropuertoDTO, ItinerarioDTO, LegDTO, OdoDTO, SegmentoDTO
from aeroalpes.modulos.vuelos.dominio.repositorios import RepositorioReservas
from aeroalpes.modulos.vuelos.infraestructura.repositorios import ReservasSQLAlchemy
from aeroalpes.modulos.vuelos.modulo import VUELOS
from seedwork.infraestructura.sistema import Sistema, bootstrap

PLAZO_S = 30.0
LEG = LegDTO(
    datetime(2026, 1, 1, 10, tzinfo=UTC),
    datetime(2026, 1, 1, 12, tzinfo=UTC),
    AeropuertoDTO("BOG", "Bogotá"),
    AeropuertoDTO("JFK", "Nueva York"),
)


def _a_la_vez(*funciones: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(funciones)) as hilos:
        return [tarea.exception() or tarea.result() for tarea in [hilos.submit(f) for f in funciones]]


@contextmanager
def _vuelos(base: str) -> Iterator[tuple[Sistema, UUID]]:
    """Un bus de vuelos con una reserva pendiente."""
    bus = bootstrap([VUELOS], base_datos=base, servicio="vuelos", puertos={ReservasSQLAlchemy: ReservasSQLAlchemy})
    yield bus, bus.ejecutar(CrearReserva(itinerarios=(ItinerarioDTO((OdoDTO((SegmentoDTO((LEG,)),)),)),)))
    bus.cerrar()


@EN_AMBAS
@pytest.mark.capacidad("A06")
def test_de_dos_que_escriben_una_reserva_a_la_vez_uno_pierde_y_se_repite_sobre_lo_del_otro(base: str) -> None:
    juntos = threading.Barrier(2)
    vistas: list[tuple[str, int]] = []

    def escribir(quien: str) -> None:
        leida = bus.leer(lambda ambito: ambito.get(RepositorioReservas).obtener(id))
        juntos.wait(PLAZO_S)  # los dos parten de la misma versión
        primera = [leida]

        def efecto(t: Any) -> None:
            repositorio = t.ambito.get(RepositorioReservas)
            reserva = primera.pop() if primera else repositorio.obtener(id)
            vistas.append((quien, reserva.version))
            reserva.motivo = f"{reserva.motivo or ''}{quien}"
            repositorio.guardar(reserva)

        bus.en_transaccion(efecto)

    with _vuelos(base) as (bus, id):
        assert _a_la_vez(lambda: escribir("a"), lambda: escribir("b")) == [None, None]
        final = bus.leer(lambda ambito: ambito.get(RepositorioReservas).obtener(id))

    assert sorted(final.motivo) == ["a", "b"]
    assert final.version == 3
    assert sorted(version for _, version in vistas) == [1, 1, 2]


@EN_AMBAS
@pytest.mark.capacidad("A06")
def test_quien_bloquea_una_reserva_hace_esperar_al_otro_y_ninguno_pierde(base: str) -> None:
    intentos: list[str] = []

    def escribir(quien: str) -> None:
        def efecto(t: Any) -> None:
            intentos.append(quien)
            reserva = t.ambito.get(ReservasSQLAlchemy).obtener(id, bloquear=True)
            reserva.motivo = f"{reserva.motivo or ''}{quien}"
            t.ambito.get(ReservasSQLAlchemy).guardar(reserva)

        bus.en_transaccion(efecto)

    with _vuelos(base) as (bus, id):
        resultados = _a_la_vez(*[lambda quien=quien: escribir(quien) for quien in "abcdef"])  # type: ignore[misc]
        final = bus.leer(lambda ambito: ambito.get(RepositorioReservas).obtener(id))

    assert resultados == [None] * 6
    assert sorted(final.motivo) == list("abcdef")
    assert sorted(intentos) == list("abcdef")  # nadie tuvo que repetir
