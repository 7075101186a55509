"""La lectura de la fuente: qué pasa cuando falla, termina, repite o tarda."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.unit.ui.falsos import FuenteFalsa, evento, hasta

from ui.difusion import Difusion
from ui.ingesta import Fuente, Ingesta


@asynccontextmanager
async def _leyendo(fuente: Fuente, difusion: Difusion, asentamiento_s: float = 0.05) -> AsyncIterator[Ingesta]:
    ingesta = Ingesta(fuente, difusion, espera_s=0.01, asentamiento_s=asentamiento_s)
    lectura = asyncio.create_task(ingesta.correr())
    try:
        yield ingesta
    finally:
        lectura.cancel()
        await asyncio.wait([lectura])


async def test_una_fuente_que_falla_se_reabre_y_nada_se_reparte_dos_veces() -> None:
    fuente, difusion = FuenteFalsa(), Difusion()
    fuente.emitir(evento(), evento())
    async with _leyendo(fuente, difusion) as ingesta:
        await hasta(lambda: len(difusion) == 2)
        fuente.averiar(ConnectionError("el broker no responde"))
        await hasta(lambda: fuente.aperturas > 2)
        assert ingesta.problema == "la fuente de eventos falló: el broker no responde"
        fuente.averiar(None)
        fuente.emitir(evento())
        await hasta(lambda: len(difusion) == 3)
        assert ingesta.problema is None


async def test_una_fuente_callada_se_da_por_buena_cuando_se_asienta() -> None:
    async with _leyendo(FuenteFalsa(), Difusion()) as ingesta:
        assert ingesta.problema == "la fuente de eventos está arrancando"
        await hasta(lambda: ingesta.problema is None)


async def test_una_fuente_que_termina_cuenta_como_caida() -> None:
    async def corta() -> AsyncIterator[dict[str, Any]]:
        for _ in ():
            yield {}

    async with _leyendo(corta, Difusion(), asentamiento_s=5) as ingesta:
        await hasta(lambda: ingesta.problema == "la fuente de eventos terminó")


async def test_una_fuente_que_ni_siquiera_se_puede_abrir_se_reintenta() -> None:
    intentos = 0

    def rota() -> AsyncIterator[dict[str, Any]]:
        nonlocal intentos
        intentos += 1
        raise RuntimeError

    async with _leyendo(rota, Difusion(), asentamiento_s=5) as ingesta:
        await hasta(lambda: intentos > 2)
        assert ingesta.problema == "la fuente de eventos falló: RuntimeError"


async def test_al_parar_se_cierra_la_fuente() -> None:
    fuente, difusion = FuenteFalsa(), Difusion()
    fuente.emitir(evento())
    async with _leyendo(fuente, difusion):
        await hasta(lambda: len(difusion) == 1)
    assert fuente.cierres == 1


async def test_una_rafaga_de_la_fuente_deja_turno_a_los_demas() -> None:
    fuente, difusion = FuenteFalsa(), Difusion()
    fuente.emitir(*(evento() for _ in range(1_000)))
    turnos: list[int] = []
    async with _leyendo(fuente, difusion):
        while len(difusion) < 1_000:
            turnos.append(len(difusion))
            await asyncio.sleep(0)
    assert len(turnos) > 5
