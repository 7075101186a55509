"""El anillo de eventos: qué se reparte, a quién, y qué pasa con el que se queda atrás."""

import asyncio
import json
from typing import Any

import pytest
from tests.unit.ui.falsos import evento

from ui.difusion import EVENTO_MAXIMO_BYTES, Difusion, Lector, Rezagado


async def _leer(lector: Lector, cuantos: int) -> list[str]:
    async with asyncio.timeout(2):
        return [(await lector.siguiente()).id for _ in range(cuantos)]


async def _nada_mas(lector: Lector) -> bool:
    try:
        async with asyncio.timeout(0.02):
            await lector.siguiente()
    except TimeoutError:
        return True
    return False


async def test_lo_repetido_y_lo_vivo_salen_seguidos_sin_hueco_ni_repetidos() -> None:
    difusion = Difusion()
    eventos = [evento() for _ in range(6)]
    for uno in eventos[:4]:
        difusion.publicar(uno)
    with difusion.abrir(desde=eventos[1]["id"]) as lector:
        difusion.publicar(eventos[4])
        primeros = await _leer(lector, 2)
        difusion.publicar(eventos[5])
        assert primeros + await _leer(lector, 2) == [uno["id"] for uno in eventos[2:]]
        assert await _nada_mas(lector)
        assert not lector.hubo_hueco


async def test_sin_desde_llega_solo_lo_nuevo_y_con_desde_vacio_la_ventana_entera() -> None:
    difusion = Difusion()
    viejo, nuevo = evento(), evento()
    difusion.publicar(viejo)
    with difusion.abrir() as en_vivo, difusion.abrir(desde="") as completo:
        difusion.publicar(nuevo)
        assert await _leer(en_vivo, 1) == [nuevo["id"]]
        assert await _leer(completo, 2) == [viejo["id"], nuevo["id"]]
        assert not completo.hubo_hueco


async def test_un_id_que_ya_no_esta_en_la_ventana_es_un_hueco_y_da_la_ventana_entera() -> None:
    difusion = Difusion(ventana=3, atraso_maximo=5, ids_recordados=50)
    eventos = [evento() for _ in range(6)]
    for uno in eventos:
        difusion.publicar(uno)
    for desde in (eventos[1]["id"], "no-existe"):
        with difusion.abrir(desde=desde) as lector:
            assert lector.hubo_hueco
            assert await _leer(lector, 3) == [uno["id"] for uno in eventos[3:]]


async def test_el_id_justo_anterior_a_la_ventana_no_es_un_hueco() -> None:
    difusion = Difusion(ventana=3, atraso_maximo=5, ids_recordados=50)
    eventos = [evento() for _ in range(6)]
    for uno in eventos:
        difusion.publicar(uno)
    with difusion.abrir(desde=eventos[2]["id"]) as lector:
        assert not lector.hubo_hueco
        assert await _leer(lector, 3) == [uno["id"] for uno in eventos[3:]]


async def test_el_mismo_evento_releido_de_la_fuente_no_se_reparte_otra_vez() -> None:
    difusion = Difusion(ventana=2, atraso_maximo=2, ids_recordados=10)
    eventos = [evento() for _ in range(8)]
    assert all(difusion.publicar(uno) for uno in eventos)
    assert not any(difusion.publicar(uno) for uno in eventos)
    assert len(difusion) == 2


async def test_quien_queda_mas_atras_que_el_anillo_se_entera() -> None:
    difusion = Difusion(ventana=2, atraso_maximo=4, ids_recordados=10)
    with difusion.abrir() as lector:
        for _ in range(4):
            difusion.publicar(evento())
        await _leer(lector, 1)
        for _ in range(2):
            difusion.publicar(evento())
        with pytest.raises(Rezagado, match="4 eventos"):
            await lector.siguiente()


async def test_una_suscripcion_vale_desde_el_evento_siguiente() -> None:
    difusion = Difusion()
    mia, ajena = evento(), evento()
    with difusion.abrir() as lector:
        difusion.publicar(ajena)
        assert await _leer(lector, 1) == [ajena["id"]]
        lector.id_reserva = mia["subject"]
        for uno in (evento(), mia, evento(), pagada := evento("ReservaPagada", mia["subject"])):
            difusion.publicar(uno)
        assert await _leer(lector, 2) == [mia["id"], pagada["id"]]
        assert await _nada_mas(lector)


async def test_la_suscripcion_no_distingue_mayusculas_y_le_basta_el_subject() -> None:
    difusion = Difusion()
    sin_dato = evento() | {"data": None}
    sin_dato["subject"] = sin_dato["subject"].upper()
    with difusion.abrir(id_reserva=sin_dato["subject"].lower()) as lector:
        difusion.publicar(sin_dato)
        assert await _leer(lector, 1) == [sin_dato["id"]]


@pytest.mark.parametrize(
    "malo",
    [
        {},
        {"id": 7, "type": "a", "source": "b"},
        {"id": "", "type": "a", "source": "b"},
        {"id": "x", "type": "a", "source": "b", "data": {"v": float("nan")}},
        {"id": "x", "type": "a", "source": "b", "data": object()},
        {"id": "x", "type": "a", "source": "b", "data": "\ud800"},
        {"id": "x", "type": "a", "source": "b", "data": "ñ" * EVENTO_MAXIMO_BYTES},
        {"id": ["x"], "type": "a", "source": "b"},
    ],
)
async def test_un_evento_que_no_se_puede_repartir_no_detiene_a_los_siguientes(malo: dict[str, Any]) -> None:
    difusion = Difusion()
    bueno = evento()
    with difusion.abrir() as lector:
        assert not difusion.publicar(malo)
        assert difusion.publicar(bueno)
        assert await _leer(lector, 1) == [bueno["id"]]


async def test_todos_los_lectores_reciben_los_mismos_bytes_convertidos_una_sola_vez() -> None:
    difusion = Difusion()
    uno = evento("ReservaCancelada", motivo="Tarjeta vencida en Bogotá ✈")
    with difusion.abrir() as a, difusion.abrir() as b:
        difusion.publicar(uno)
        trama_a, trama_b = (await a.siguiente()).trama, (await b.siguiente()).trama
    assert trama_a is trama_b
    assert json.loads(trama_a) == uno


async def test_quien_se_va_deja_de_estar_inscrito() -> None:
    difusion = Difusion()
    with difusion.abrir() as lector:
        pass
    lector.novedad.clear()
    difusion.publicar(evento())
    assert not lector.novedad.is_set()


def test_limites_que_no_se_sostienen_se_rechazan() -> None:
    with pytest.raises(ValueError, match="ventana"):
        Difusion(ventana=10, atraso_maximo=5, ids_recordados=50)
