"""El GDS es de otros: lento, caído y con su propia forma de hablar. Nada de eso pasa de su paquete."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.unit.gds.aerolineas import HOY, RESERVA, TRAMO, HostFalso, Humor

from aeroalpes.modulos.gds.aplicacion.puertos import Confirmada, GdsSinRespuesta, SinPlazas
from aeroalpes.modulos.gds.dominio.objetos_valor import Tramo
from aeroalpes.modulos.gds.infraestructura.anticorrupcion import traduccion
from aeroalpes.modulos.gds.infraestructura.anticorrupcion.gds import FALLOS_QUE_ABREN, INTENTOS, GdsAnticorrupcion
from aeroalpes.modulos.gds.infraestructura.anticorrupcion.simulado import HostSimulado


def test_nuestras_fechas_en_utc_salen_en_la_hora_local_de_cada_aeropuerto() -> None:
    venta = traduccion.a_venta(RESERVA, (TRAMO,))
    assert venta == {
        "TRX": "SELL",
        "XREF": RESERVA.hex.upper(),
        "SEG": [
            {"DPT": "BOG", "DDT": "22NOV2022", "DTM": "0810", "ARV": "JFK", "ADT": "22NOV2022", "ATM": "1405"},
        ],
    }


def test_la_hora_local_sigue_el_horario_de_verano_y_puede_caer_en_otro_dia() -> None:
    verano = Tramo("mad", "NRT", datetime(2022, 7, 1, 22, 30, tzinfo=UTC), datetime(2022, 7, 2, 12, 0, tzinfo=UTC))
    (segmento,) = traduccion.a_venta(RESERVA, (verano,))["SEG"]
    assert (segmento["DDT"], segmento["DTM"]) == ("02JUL2022", "0030")
    assert (segmento["ADT"], segmento["ATM"]) == ("02JUL2022", "2100")


def test_de_un_aeropuerto_desconocido_se_habla_en_utc() -> None:
    (segmento,) = traduccion.a_venta(RESERVA, (Tramo("QQQ", "A1", HOY, HOY + timedelta(hours=1)),))["SEG"]
    assert (segmento["DTM"], segmento["ATM"]) == ("1310", "1410")


@pytest.mark.parametrize("extrema", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)])
async def test_una_fecha_que_no_existe_en_la_hora_local_no_tiene_plazas(extrema: datetime) -> None:
    host = HostFalso()
    tramo = Tramo("BOG", "NRT", extrema, extrema)
    assert isinstance(await GdsAnticorrupcion(host).tomar_plazas(RESERVA, (tramo,)), SinPlazas)
    assert host.recibidas == []


@pytest.mark.parametrize(
    "respuesta",
    [{"RC": "HK", "RLOC": "", "TXT": ""}, {"RC": "KL", "RLOC": "X", "TXT": ""}, {}, {"RC": "HK", "RLOC": None}],
)
def test_una_respuesta_que_no_se_entiende_no_se_adivina(respuesta: Any) -> None:
    with pytest.raises(traduccion.RespuestaIlegible):
        traduccion.de_venta(respuesta)
    with pytest.raises(traduccion.RespuestaIlegible):
        traduccion.exigir_cancelada(respuesta)


async def test_el_simulado_vende_todo_menos_lo_que_toca_zzz() -> None:
    gds = GdsAnticorrupcion(HostSimulado())
    confirmada = await gds.tomar_plazas(RESERVA, (TRAMO,))
    assert isinstance(confirmada, Confirmada)
    assert await gds.tomar_plazas(RESERVA, (TRAMO,)) == confirmada
    for origen, destino in (("ZZZ", "BOG"), ("BOG", "zzz")):
        sin_plazas = await gds.tomar_plazas(RESERVA, (TRAMO, Tramo(origen, destino, HOY, HOY + timedelta(hours=1))))
        assert sin_plazas == SinPlazas("No hay plazas (NO SEATS ZZZ)")
    await gds.soltar_plazas(RESERVA)


@pytest.mark.parametrize("humor", ["calla", "cae", "delira"])
async def test_si_falla_se_insiste_un_poco_y_se_dice_que_no_respondio(humor: Humor) -> None:
    host = HostFalso(humor)
    with capture_logs() as registros, pytest.raises(GdsSinRespuesta):
        await GdsAnticorrupcion(host, plazo_s=0.01).tomar_plazas(RESERVA, (TRAMO,))
    assert len(host.recibidas) == len(registros) == INTENTOS
    assert {transaccion["XREF"] for transaccion in host.recibidas} == {RESERVA.hex.upper()}


async def test_tras_varios_fallos_seguidos_se_le_deja_descansar_y_luego_se_prueba_otra_vez() -> None:
    host = HostFalso("cae")
    descanso = timedelta(seconds=0.2)
    gds = GdsAnticorrupcion(host, descanso=descanso)
    with capture_logs():
        for _ in range(20):
            with pytest.raises(GdsSinRespuesta):
                await gds.tomar_plazas(RESERVA, (TRAMO,))
        assert len(host.recibidas) == FALLOS_QUE_ABREN
        host.humor = "bien"
        async with asyncio.timeout(30):
            while True:
                try:
                    assert await gds.tomar_plazas(RESERVA, (TRAMO,)) == Confirmada("X7K2PQ")
                    break
                except GdsSinRespuesta:
                    await asyncio.sleep(0.02)
    await gds.soltar_plazas(RESERVA)
    assert len(host.recibidas) == FALLOS_QUE_ABREN + 2


async def test_que_no_haya_plazas_no_es_un_fallo_del_gds() -> None:
    host = HostFalso("lleno")
    gds = GdsAnticorrupcion(host)
    for _ in range(FALLOS_QUE_ABREN + 1):
        assert isinstance(await gds.tomar_plazas(RESERVA, (TRAMO,)), SinPlazas)
    assert len(host.recibidas) == FALLOS_QUE_ABREN + 1


async def test_una_llamada_lenta_no_hace_esperar_a_las_demas() -> None:
    host = HostFalso("calla")
    gds = GdsAnticorrupcion(host, plazo_s=3600)
    lenta = asyncio.create_task(gds.tomar_plazas(RESERVA, (TRAMO,)))
    while not host.recibidas:
        await asyncio.sleep(0)
    host.humor = "bien"
    async with asyncio.timeout(30):
        assert await gds.tomar_plazas(RESERVA, (TRAMO,)) == Confirmada("X7K2PQ")
    lenta.cancel()
    with pytest.raises(asyncio.CancelledError):
        await lenta
