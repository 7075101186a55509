"""Muchas reservas a la vez, por la suite entera y con dos páginas abiertas."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from email import message_from_bytes, policy

import httpx
import pytest
from tests.e2e.suite import SuiteReal, reserva_nueva
from tests.integracion.espectador import Espectador, mirando
from tests.procesos import hasta, puerto_libre

CLIENTES, CADA_UNO = 4, 25
PLAZO_S = 180.0
APROBADA = ["ReservaCreada", "ReservaPagada", "ReservaAprobada"]
NOTIFICACIONES = "sub-notificacion-eventos-reservas"


class Marcha:
    """API, notificaciones al buzón y dos procesos ui."""

    def __init__(self, suite: SuiteReal) -> None:
        self.suite = suite
        otra_ui = str(puerto_libre())
        self.paginas = (suite.ui, f"http://127.0.0.1:{otra_ui}")
        self.procesos = [suite.lanzar(nombre) for nombre in ("api", "notificaciones", "ui")]
        self.procesos.append(suite.lanzar("ui", UI_PUERTO=otra_ui))
        suite.esperar(*self.procesos)


@pytest.fixture(scope="module")
def marcha(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marcha]:
    with SuiteReal(tmp_path_factory.mktemp("rafaga")) as suite:
        yield Marcha(suite)


async def test_creada_aprobada_y_cancelada_se_cuentan_por_correo_y_pagada_no(marcha: Marcha) -> None:
    suite = marcha.suite
    async with httpx.AsyncClient(base_url=suite.api, trust_env=False, timeout=30) as http, mirando(suite.ui) as ana:
        pedidas = [reserva_nueva(), reserva_nueva(medio="tok_rechazado")]
        una, otra = [(await http.post("/vuelos/reserva", json=pedida)).json()["id"] for pedida in pedidas]
        await ana.hasta(lambda: len(ana.de("correo.enviado")) == 4, "se enviaran los cuatro correos", PLAZO_S)
        estados = [(await http.get(f"/vuelos/reserva/{id}")).json()["estado"] for id in (una, otra)]
    assert estados == ["APROBADA", "CANCELADA"]
    assert _historia(ana, una) == APROBADA
    assert _historia(ana, otra) == ["ReservaCreada", "ReservaCancelada"]
    correos = [message_from_bytes(archivo.read_bytes(), policy=policy.default) for archivo in suite.buzon]
    assert Counter(str(correo["Subject"]) for correo in correos) == Counter(
        [
            f"Recibimos tu reserva {una[:8]}",
            f"Recibimos tu reserva {otra[:8]}",
            f"Tu reserva {una[:8]} está aprobada",
            f"Tu reserva {otra[:8]} se canceló",
        ]
    )


async def test_cien_reservas_de_cuatro_clientes_las_ve_cada_pagina_una_vez_y_en_orden(marcha: Marcha) -> None:
    suite = marcha.suite

    async def reservar(http: httpx.AsyncClient) -> list[str]:
        ids = []
        for n in range(CADA_UNO):
            ruta = "/vuelos/reserva-comando" if n % 2 else "/vuelos/reserva"
            respuesta = await http.post(ruta, json=reserva_nueva())
            assert respuesta.status_code == (202 if n % 2 else 200), respuesta.text
            ids.append(respuesta.json()["id"])
        return ids

    async with AsyncExitStack() as pila:
        espectadores = [await pila.enter_async_context(mirando(pagina)) for pagina in marcha.paginas * 2]
        http = await pila.enter_async_context(httpx.AsyncClient(base_url=suite.api, trust_env=False, timeout=30))
        reservas = [id for ids in await asyncio.gather(*[reservar(http) for _ in range(CLIENTES)]) for id in ids]
        total = (len(APROBADA) + 2) * len(reservas)
        for quien in espectadores:
            await quien.hasta(lambda quien=quien: len(quien.eventos) >= total, "llegara todo", PLAZO_S)  # type: ignore[misc]
    assert len(set(reservas)) == CLIENTES * CADA_UNO
    for quien in espectadores:
        assert quien.repetidos == []
        assert Counter(quien.de("ReservaCreada")) == Counter(reservas)
        assert Counter(quien.de("correo.enviado")) == Counter(reservas * 2)
        for id in reservas:
            assert _historia(quien, id) == APROBADA
    assert len({tuple(quien.ids) for quien in espectadores}) == 1
    hasta(lambda: suite.atendido(NOTIFICACIONES), "notificaciones acabara")
    for proceso in marcha.procesos:
        assert "Traceback" not in proceso.salida


def _historia(quien: Espectador, id: str) -> list[str]:
    """Los tipos de lo que le pasó a una reserva, en el orden en que se vio."""
    return [e["type"] for e in quien.eventos if e["subject"] == id and e["type"].startswith("Reserva")]
