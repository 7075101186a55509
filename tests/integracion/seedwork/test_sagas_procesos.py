"""Viajes enteros por el broker, y con el proceso muerto en cada punto: siempre acaban, y el dinero cuadra."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integracion.muertes import muriendo
from tests.integracion.seedwork.bases import EN_AMBAS, base_nueva
from tests.integracion.seedwork.viajes import armar, de_fuera, saldos
from tests.unit.seedwork.viaje import AVISAR, PAGAR, RESERVAR, VIAJE, Pagado, ViajePedido, con

from seedwork.aplicacion.sagas.seguimiento import ListarSagas, ObtenerSaga
from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.infraestructura.sistema import Sistema

PLAZO_S = 60.0


@pytest.fixture
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with base_nueva(getattr(request, "param", "sqlite"), tmp_path) as url:
        yield url


async def acaban(sistema: Sistema, cuantas: int, *estados: str) -> dict[str, str]:
    """Espera a que haya tantas sagas en uno de esos estados (acabadas, si no se dicen), y dice cómo está cada una."""
    async with asyncio.timeout(PLAZO_S):
        while True:
            todas = {s.clave: s.estado for s in (await sistema.ejecutar_async(ListarSagas(limite=1000))).sagas}
            if sum(estado in (estados or ("COMPLETADA", "COMPENSADA")) for estado in todas.values()) >= cuantas:
                return todas
            await asyncio.sleep(0.05)


@EN_AMBAS
async def test_cada_viaje_acaba_como_debe_y_lo_que_no_salio_queda_deshecho(base: str, tmp_path: Path) -> None:
    saga = replace(VIAJE, pasos=[con(PAGAR, plazo_s=4), RESERVAR, AVISAR])
    sistema = armar(base, saga, servicios=True, broker=f"embebido:///{tmp_path}/broker.db")
    ids = ["bueno", "caro", "lento", "lleno", "mudo"]
    async with Mensajeria(bus=sistema) as mensajeria:
        pedidos = [de_fuera(ViajePedido(id_viaje=id, monto=7)) for id in ids]
        await mensajeria.broker.publicar([*pedidos, *pedidos, de_fuera(Pagado(id_viaje="desconocido"))])
        estados = await acaban(sistema, len(ids))
        lento = await sistema.ejecutar_async(ObtenerSaga(saga="viaje", clave="lento"))
    assert estados == dict.fromkeys(ids, "COMPENSADA") | {"bueno": "COMPLETADA"}
    assert saldos(sistema, "bueno") == {"caja": 7, "hotel": 1}
    for id in ids[1:]:
        assert set(saldos(sistema, id).values()) == {0}, id
    assert lento.saga.motivo == "Pagar no respondió en 4 s"
    sistema.cerrar()


@EN_AMBAS
async def test_un_plazo_sobrevive_a_que_todo_se_pare(base: str, tmp_path: Path) -> None:
    saga = replace(VIAJE, pasos=[con(PAGAR, plazo_s=1), RESERVAR, AVISAR])
    broker = f"embebido:///{tmp_path}/broker.db"
    antes = armar(base, saga, broker=broker)
    async with Mensajeria(bus=antes) as mensajeria:
        await mensajeria.broker.publicar([de_fuera(ViajePedido(id_viaje="lento", monto=7))])
        await acaban(antes, 1, "EN_CURSO")
    antes.cerrar()
    despues = armar(base, saga, servicios=True, broker=broker)
    async with Mensajeria(bus=despues):
        assert await acaban(despues, 1) == {"lento": "COMPENSADA"}
    assert saldos(despues, "lento")["caja"] == 0
    despues.cerrar()


@pytest.mark.parametrize(
    ("viaje", "estado", "apuntes"),
    [
        (
            "mudo",
            "COMPENSADA",
            [
                ["agencia", "cancelar", 0],
                ["caja", "cobrar", 7],
                ["caja", "devolver", -7],
                ["hotel", "reservar", 1],
                ["hotel", "soltar", -1],
            ],
        ),
        ("lento", "COMPENSADA", [["agencia", "cancelar", 0], ["caja", "cobrar", 7], ["caja", "devolver", -7]]),
    ],
)
def test_muera_donde_muera_el_proceso_otro_acaba_y_cada_cosa_se_hizo_una_vez(
    tmp_path: Path, viaje: str, estado: str, apuntes: list[Any]
) -> None:
    finales = muriendo("tests.integracion.seedwork.sagas_proceso", tmp_path, viaje)
    assert finales == {punto: {"estado": estado, "apuntes": apuntes} for punto in finales}
