"""vehiculos de verdad: sus mensajes por el broker y la fase guardada en dos bases."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.integracion.aeroalpes.contexto import en_marcha, mensaje
from tests.integracion.seedwork.bases import EN_AMBAS, base_nueva

from aeroalpes.modulos.vehiculos.aplicacion.comandos.ordenar_alquiler import OrdenarAlquiler
from aeroalpes.modulos.vehiculos.dominio.alquiler import Apartar, Soltar
from aeroalpes.modulos.vehiculos.infraestructura.schema.v1 import comandos, eventos
from aeroalpes.modulos.vehiculos.infraestructura.tablas import alquileres
from aeroalpes.modulos.vehiculos.modulo import VEHICULOS
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.sistema import bootstrap


def pedido(tipo: str, id: uuid.UUID, **variante: Any) -> Mensaje:
    return mensaje(comandos.ComandosVehiculo, comandos.TOPICO, tipo, id, **variante)


def reservar(id: uuid.UUID, edad: int = 40) -> Mensaje:
    variante = comandos.ReservarVehiculo(id_reserva=str(id), dias=3, edad_conductor=edad)
    return pedido("ReservarVehiculo", id, reservar_vehiculo=variante)


def liberar(id: uuid.UUID) -> Mensaje:
    return pedido("LiberarVehiculo", id, liberar_vehiculo=comandos.LiberarVehiculo(id_reserva=str(id)))


async def test_cada_pedido_se_responde_una_vez_y_lo_que_no_se_entiende_va_a_las_letras_muertas(tmp_path: Path) -> None:
    bueno, joven, tarde = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    async with en_marcha([VEHICULOS], tmp_path, {eventos.TOPICO: eventos.EventosVehiculo}) as vehiculos:
        ida = reservar(bueno)
        vuelta = [liberar(bueno), liberar(bueno)]
        await vehiculos.mandar(
            ida, ida, reservar(bueno), *vuelta, reservar(joven, 18), liberar(tarde), reservar(tarde), pedido("X", bueno)
        )
        await vehiculos.hasta(lambda: len(vehiculos.publicados) >= 5, "se respondiera a todo")
        assert vehiculos.tipos(bueno) == ["VehiculoReservado", "VehiculoLiberado"]
        assert vehiculos.tipos(joven) == ["VehiculoRechazado"]
        assert vehiculos.tipos(tarde) == ["VehiculoLiberado", "VehiculoRechazado"]
        await vehiculos.hasta_letras("aeroalpes-vehiculos-comandos", 1)


@pytest.fixture
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with base_nueva(request.param, tmp_path) as url:
        yield url


@EN_AMBAS
def test_ordenes_a_la_vez_no_se_pisan(base: str) -> None:
    sistema, id = bootstrap([VEHICULOS], base_datos=base), uuid.uuid4()
    try:
        ordenes = [Apartar(3, 40), Soltar()] * 2
        hilos = [
            threading.Thread(target=sistema.ejecutar, args=[OrdenarAlquiler(id_reserva=id, orden=orden)])
            for orden in ordenes
        ]
        for hilo in hilos:
            hilo.start()
        for hilo in hilos:
            hilo.join(30)
        assert sistema.motor is not None
        with sistema.motor.connect() as conexion:
            assert conexion.execute(select(alquileres.c.fase)).scalars().all() == ["SUELTO"]
    finally:
        sistema.cerrar()
