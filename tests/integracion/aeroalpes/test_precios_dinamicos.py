"""Los precios de verdad: plegados de los eventos de reserva, sobre dos bases y por HTTP."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Table, select
from sqlalchemy.orm import Session
from tests.integracion.aeroalpes.contexto import Contexto, en_marcha, mensaje, otra_vez
from tests.integracion.aeroalpes.reservas import cuerpo, es_problema, itinerario, leg
from tests.integracion.seedwork.bases import EN_AMBAS, base_nueva
from tests.procesos import hasta

from aeroalpes.modulos.precios_dinamicos.aplicacion.queries.obtener_historia import ObtenerHistoria
from aeroalpes.modulos.precios_dinamicos.aplicacion.queries.obtener_precio import ObtenerPrecio
from aeroalpes.modulos.precios_dinamicos.dominio.rutas import cotizar
from aeroalpes.modulos.precios_dinamicos.infraestructura import demanda, historia, tablas
from aeroalpes.modulos.precios_dinamicos.modulo import PRECIOS_DINAMICOS
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import eventos
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.proyecciones.estado import estados
from seedwork.infraestructura.proyecciones.reconstruccion import reconstruir

_DIA_MS = 24 * 3600 * 1000


def creada(id: uuid.UUID, *rutas: tuple[str, str], dia: int = 0) -> Mensaje:
    tramos = [eventos.Tramo(origen=o, destino=d, fecha_salida=0, fecha_llegada=1) for o, d in rutas]
    variante = eventos.ReservaCreada(
        id_reserva=str(id), estado="PENDIENTE", fecha_creacion=dia * _DIA_MS, tramos=tramos if rutas else None
    )
    return mensaje(eventos.EventosReserva, eventos.TOPICO, "ReservaCreada", id, reserva_creada=variante)


def cancelada(id: uuid.UUID) -> Mensaje:
    variante = eventos.ReservaCancelada(id_reserva=str(id), estado="CANCELADA", fecha_actualizacion=0, motivo="no")
    return mensaje(eventos.EventosReserva, eventos.TOPICO, "ReservaCancelada", id, reserva_cancelada=variante)


@pytest.fixture
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with base_nueva(request.param, tmp_path) as url:
        yield url


@EN_AMBAS
async def test_cada_reserva_viva_cuenta_una_vez_en_cada_ruta_que_vuela(base: str, tmp_path: Path) -> None:
    ida_y_vuelta, doble, cancelada_antes, vieja, fin = (uuid.uuid4() for _ in range(5))
    anulada, repetida = uuid.uuid4(), uuid.uuid4()
    bog_jfk, jfk_bog = ("BOG", "JFK"), ("JFK", "BOG")
    otra = creada(repetida, bog_jfk)
    async with en_marcha([PRECIOS_DINAMICOS], tmp_path, {}, base_datos=base) as precios:
        await precios.mandar(
            creada(ida_y_vuelta, bog_jfk, jfk_bog),
            creada(doble, bog_jfk, ("bog", "jfk")),
            otra, otra, otra_vez(otra, str(uuid.uuid4())),
            cancelada(cancelada_antes), creada(cancelada_antes, bog_jfk),
            creada(anulada, jfk_bog), cancelada(anulada), otra_vez(cancelada(anulada), str(uuid.uuid4())),
            creada(vieja), cancelada(vieja),
            *[creada(uuid.uuid4(), *orden) for _ in range(10) for orden in ((bog_jfk, jfk_bog), (jfk_bog, bog_jfk))],
            creada(fin, ("FIN", "AL")),
        )  # fmt: skip
        await _hasta_demanda(precios, ("FIN", "AL"), 1)
        await _hasta_demanda(precios, bog_jfk, 23)
        await _hasta_demanda(precios, jfk_bog, 21)


@pytest.mark.capacidad("X06")
@EN_AMBAS
async def test_sus_dos_proyecciones_reconstruidas_son_las_mismas(base: str, tmp_path: Path) -> None:
    rutas = [("BOG", "JFK"), ("JFK", "BOG"), ("BOG", "MDE")]
    ids = [uuid.uuid4() for _ in range(12)]
    mensajes = [creada(id, *rutas[n % 2 : 2 + n % 2], dia=n % 4) for n, id in enumerate(ids)]
    mensajes[3:3] = [cancelada(id) for id in ids[::5]]
    async with en_marcha([PRECIOS_DINAMICOS], tmp_path, {}, base_datos=base) as precios:
        inquilinos = precios.sistema.inquilinos
        assert inquilinos is not None
        proyecciones = (demanda.proyectar, historia.proyectar)
        await precios.mandar(*mensajes)
        await precios.hasta(
            lambda: all(estado.aplicados == len(mensajes) for estado in estados(inquilinos, proyecciones)),
            "se contaran todas",
        )
        todas = (tablas.demanda, tablas.reservas, tablas.historia)
        vivas = [_filas(precios, tabla) for tabla in todas]
        for proyeccion in proyecciones:
            assert await asyncio.to_thread(list, reconstruir(inquilinos, proyeccion))
        assert [_filas(precios, tabla) for tabla in todas] == vivas
        de_bog_a_jfk = precios.sistema.ejecutar(ObtenerHistoria(origen="bog", destino="jfk"))
        assert [(d.dia.isoformat(), d.reservas) for d in de_bog_a_jfk.dias] == [
            ("1970-01-01", 3),
            ("1970-01-03", 3),
        ]


def _filas(precios: Contexto, tabla: Table) -> list[str]:
    return precios.sistema.leer(lambda ambito: sorted(map(str, ambito.get(Session).execute(select(tabla)))))


async def _hasta_demanda(precios: Contexto, ruta: tuple[str, str], cuanta: int) -> None:
    def llego() -> bool:
        return precios.sistema.ejecutar(ObtenerPrecio(origen=ruta[0], destino=ruta[1])).demanda == cuanta

    await precios.hasta(llego, f"la demanda de {ruta} fuera {cuanta}")


def pedir(http: httpx.Client, **parametros: Any) -> httpx.Response:
    return http.get("/precios", params=parametros)


def test_el_precio_de_una_ruta_sube_al_reservarla(http: httpx.Client) -> None:
    ruta = {"origen": "P" + uuid.uuid4().hex[:6].upper(), "destino": "Q" + uuid.uuid4().hex[:6].upper()}
    assert pedir(http, **ruta).json() == {**ruta, "precio": cotizar(0), "demanda": 0}
    vuelo = leg(**{extremo: {"codigo": codigo.lower(), "nombre": ""} for extremo, codigo in ruta.items()})
    http.post("/vuelos/reserva", json=cuerpo(itinerarios=[itinerario(vuelo)]))
    precio = hasta(lambda: (p := pedir(http, **ruta).json())["demanda"] and p, "subiera la demanda")
    assert precio == {**ruta, "precio": cotizar(1), "demanda": 1}


def test_la_historia_de_una_ruta_dice_cuanto_se_reservo_cada_dia(http: httpx.Client) -> None:
    ruta = {"origen": "R" + uuid.uuid4().hex[:6].upper(), "destino": "S" + uuid.uuid4().hex[:6].upper()}
    assert http.get("/precios/historia", params=ruta).json() == {**ruta, "dias": []}
    vuelo = leg(**{extremo: {"codigo": codigo, "nombre": ""} for extremo, codigo in ruta.items()})
    reserva = http.post("/vuelos/reserva", json=cuerpo(itinerarios=[itinerario(vuelo)])).json()
    leida = hasta(
        lambda: (leida := http.get("/precios/historia", params=ruta).json())["dias"] and leida, "hubiera historia"
    )
    assert leida == {**ruta, "dias": [{"dia": reserva["fecha_creacion"][:10], "reservas": 1}]}
    es_problema(http.get("/precios/historia"), 400)


def test_una_ruta_mal_pedida_es_400_y_una_que_no_lo_es_422(http: httpx.Client) -> None:
    es_problema(pedir(http), 400)
    es_problema(pedir(http, origen="BOG"), 400)
    es_problema(pedir(http, origen="BOG", destino="x" * 11), 400)
    assert es_problema(pedir(http, origen="BOG", destino="bog"), 422)["regla"] == "RutaEntreDosAeropuertos"
