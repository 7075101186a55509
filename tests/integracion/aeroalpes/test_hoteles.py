"""hoteles de verdad: sus mensajes por el broker, y la última habitación en dos bases."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.integracion.aeroalpes.contexto import en_marcha, mensaje
from tests.integracion.seedwork.bases import EN_AMBAS, base_nueva

from aeroalpes.modulos.hoteles.aplicacion.comandos.liberar_hotel import LiberarHotel
from aeroalpes.modulos.hoteles.aplicacion.comandos.reservar_hotel import ReservarHotel
from aeroalpes.modulos.hoteles.aplicacion.puertos import Noche
from aeroalpes.modulos.hoteles.infraestructura.cupo import HABITACIONES, LIBERADA, RECHAZADA, TOMADA
from aeroalpes.modulos.hoteles.infraestructura.schema.v1 import comandos, eventos
from aeroalpes.modulos.hoteles.infraestructura.tablas import estancias, noches
from aeroalpes.modulos.hoteles.modulo import HOTELES
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.sistema import Sistema, bootstrap

NOCHE = Noche("Tequendama", date(2022, 11, 22))


def pedido(tipo: str, id: uuid.UUID, **variante: Any) -> Mensaje:
    return mensaje(comandos.ComandosHotel, comandos.TOPICO, tipo, id, **variante)


def reservar(id: uuid.UUID, fecha: str = "2022-11-22") -> Mensaje:
    variante = comandos.ReservarHotel(id_reserva=str(id), hotel="Tequendama", fecha=fecha)
    return pedido("ReservarHotel", id, reservar_hotel=variante)


def liberar(id: uuid.UUID) -> Mensaje:
    return pedido("LiberarHotel", id, liberar_hotel=comandos.LiberarHotel(id_reserva=str(id)))


async def test_cada_pedido_se_responde_una_vez_y_lo_que_no_se_entiende_va_a_las_letras_muertas(tmp_path: Path) -> None:
    bueno, tarde = uuid.uuid4(), uuid.uuid4()
    async with en_marcha([HOTELES], tmp_path, {eventos.TOPICO: eventos.EventosHotel}) as hoteles:
        ida = reservar(bueno)
        await hoteles.mandar(
            ida, ida, reservar(bueno), liberar(bueno), liberar(bueno), liberar(tarde), reservar(tarde),
            pedido("X", bueno), reservar(uuid.uuid4(), "22/11/2022"),
        )  # fmt: skip
        await hoteles.hasta(lambda: len(hoteles.publicados) >= 4, "se respondiera a todo")
        assert hoteles.tipos(bueno) == ["HotelReservado", "HotelLiberado"]
        assert hoteles.tipos(tarde) == ["HotelLiberado", "HotelRechazado"]
        (reservado,) = [p.hotel_reservado for p in hoteles.publicados if p.hotel_reservado]
        assert (reservado.hotel, reservado.fecha) == ("Tequendama", "2022-11-22")
        await hoteles.hasta_letras("aeroalpes-hoteles-comandos", 2)


@pytest.fixture
def sistema(base: str) -> Iterator[Sistema]:
    sistema = bootstrap([HOTELES], base_datos=base)
    yield sistema
    sistema.cerrar()


@pytest.fixture
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with base_nueva(request.param, tmp_path) as url:
        yield url


def cuenta(sistema: Sistema) -> tuple[int, dict[str, int]]:
    """Las habitaciones ocupadas, y cuántas reservas hay en cada estado."""
    assert sistema.motor is not None
    with sistema.motor.connect() as conexion:
        ocupadas = conexion.execute(select(noches.c.ocupadas)).scalar_one()
        estados = select(estancias.c.estado, func.count().label("cuantas")).group_by(estancias.c.estado)
        return ocupadas, {fila.estado: fila.cuantas for fila in conexion.execute(estados)}


@EN_AMBAS
def test_por_muchos_que_la_quieran_a_la_vez_no_se_vende_una_habitacion_de_mas(sistema: Sistema) -> None:
    ids = [uuid.uuid4() for _ in range(HABITACIONES + 6)]

    def cada_cual(*comandos: ReservarHotel | LiberarHotel) -> None:
        hilos = [threading.Thread(target=sistema.ejecutar, args=[comando]) for comando in comandos]
        for hilo in hilos:
            hilo.start()
        for hilo in hilos:
            hilo.join(30)

    cada_cual(*[ReservarHotel(id_reserva=id, noche=NOCHE) for id in ids])
    assert cuenta(sistema) == (HABITACIONES, {TOMADA: HABITACIONES, RECHAZADA: 6})
    cada_cual(*[LiberarHotel(id_reserva=id) for id in ids[:10] * 2])
    ocupadas, estados = cuenta(sistema)
    assert ocupadas == estados[TOMADA]
    assert estados[LIBERADA] == 10
    sistema.ejecutar(ReservarHotel(id_reserva=uuid.uuid4(), noche=NOCHE))
    assert cuenta(sistema)[0] == ocupadas + 1
