"""Reservas de dominio para las pruebas, y estrategias que inventan otras."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from aeroalpes.modulos.vuelos.dominio.entidades import Reserva
from aeroalpes.modulos.vuelos.dominio.objetos_valor import (
    Aeropuerto,
    EstadoReserva,
    Hotel,
    Itinerario,
    Leg,
    Odo,
    Segmento,
    Vehiculo,
)

ID = UUID("018f0000-0000-7000-8000-00000000000a")
CLIENTE = UUID("018f0000-0000-7000-8000-00000000000c")
SALIDA = datetime(2022, 11, 22, 13, 10, tzinfo=UTC)
HORA = timedelta(hours=1)
BOG, JFK = Aeropuerto("BOG", "El Dorado"), Aeropuerto("JFK", "John F. Kennedy")

HOTEL, VEHICULO = Hotel("Dann Carlton", SALIDA.date()), Vehiculo(3, 30)


def leg(**cambios: Any) -> Leg:
    return Leg(**{"fecha_salida": SALIDA, "fecha_llegada": SALIDA + HORA, "origen": BOG, "destino": JFK, **cambios})


def itinerario(*legs: Leg) -> Itinerario:
    return Itinerario((Odo((Segmento(legs),)),))


def reserva(**cambios: Any) -> Reserva:
    return Reserva.crear(**{"id": ID, "itinerarios": (itinerario(leg()),), "fecha": SALIDA, **cambios})


def en(estado: EstadoReserva) -> Reserva:
    """Una reserva que llegó a ese estado, con sus eventos ya extraídos."""
    hecha = reserva(id_cliente=CLIENTE)
    if estado in (EstadoReserva.PAGADA, EstadoReserva.APROBADA):
        hecha.pagar(SALIDA)
    if estado is EstadoReserva.APROBADA:
        hecha.aprobar(SALIDA)
    if estado is EstadoReserva.CANCELADA:
        hecha.cancelar("porque sí", SALIDA)
    hecha.extraer_eventos()
    return hecha


def _fecha(instante: datetime) -> datetime:
    return instante.replace(microsecond=instante.microsecond // 1000 * 1000)


_texto = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
_codigo = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=10)
_instantes = st.datetimes(timezones=st.just(UTC)).map(_fecha)


@st.composite
def _leg(draw: st.DrawFn) -> Leg:
    salida, llegada = sorted(draw(st.lists(_instantes, min_size=2, max_size=2, unique=True)))
    origen, destino = draw(st.lists(_codigo, min_size=2, max_size=2, unique_by=lambda c: c.strip().casefold()))
    return Leg(salida, llegada, Aeropuerto(origen, draw(_texto)), Aeropuerto(destino, draw(_texto)))


def _tupla(de: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(de, max_size=3).map(tuple)


_odos = _tupla(_tupla(_tupla(_leg()).map(Segmento)).map(Odo))
itinerarios = st.lists(
    _odos.filter(lambda odos: any(s.legs for o in odos for s in o.segmentos)).map(Itinerario), min_size=1, max_size=3
).map(tuple)
