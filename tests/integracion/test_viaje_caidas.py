"""kill -9 a cualquiera, en cualquier momento: lo aceptado no se pierde ni pasa dos veces."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from uuid import uuid4

import httpx
from tests.e2e.suite import SuiteReal, reserva_nueva
from tests.integracion.espectador import mirando

RESERVAS, CLIENTES = 30, 3
SEMILLA = 20_260_203
VICTIMAS = ("notificaciones", "api", "ui", "notificaciones", "api")
RECUPERACION_S = 120.0
FINALES = ("ReservaAprobada", "ReservaCancelada")  # con quien cobra caído, el plazo de un paso puede vencer


async def reservar(http: httpx.AsyncClient) -> str:
    """El id con que el API aceptó la reserva, repitiendo la misma petición hasta que conteste."""
    cabeceras = {"Idempotency-Key": str(uuid4())}
    while True:
        try:
            respuesta = await http.post("/vuelos/reserva-comando", json=reserva_nueva(), headers=cabeceras)
        except httpx.TransportError:
            await asyncio.sleep(0.1)
            continue
        if respuesta.status_code == 503:
            await asyncio.sleep(0.1)
            continue
        assert respuesta.status_code == 202, respuesta.text
        return str(respuesta.json()["id"])


async def test_matando_a_cualquiera_cada_reserva_aceptada_existe_una_vez_acaba_y_se_cuenta(
    tmp_path: Path,
) -> None:
    azar = random.Random(SEMILLA)  # noqa: S311
    with SuiteReal(tmp_path) as suite:
        vivos = {nombre: suite.lanzar(nombre) for nombre in ("api", "notificaciones", "ui")}
        await asyncio.to_thread(suite.esperar, *vivos.values())
        aceptadas: list[str] = []

        async def reservar_todo(http: httpx.AsyncClient) -> None:
            for _ in range(RESERVAS // CLIENTES):
                aceptadas.append(await reservar(http))
                await asyncio.sleep(azar.uniform(0.05, 0.3))

        async def matar() -> None:
            for nombre in VICTIMAS:
                await asyncio.sleep(azar.uniform(0.1, 0.6))
                vivos[nombre].matar()
                vivos[nombre] = suite.lanzar(nombre)
                if nombre == "api":  # las demás vuelven mientras se mata a la siguiente
                    await asyncio.to_thread(suite.esperar, vivos[nombre])
            await asyncio.to_thread(suite.esperar, *vivos.values())

        async with httpx.AsyncClient(base_url=suite.api, trust_env=False, timeout=10) as http:
            await asyncio.gather(matar(), *[reservar_todo(http) for _ in range(CLIENTES)])
            async with mirando(suite.ui, "") as ana:
                await ana.hasta(
                    lambda: len(ana.de("correo.enviado")) >= 2 * RESERVAS, "se recuperara todo", RECUPERACION_S
                )
            pagina = (await http.get("/vuelos/reserva", params={"limite": 100})).json()
        assert len(set(aceptadas)) == RESERVAS
        assert Counter(reserva["id"] for reserva in pagina["reservas"]) == Counter(aceptadas)
        assert ana.repetidos == []
        acabadas = [id for tipo in FINALES for id in ana.de(tipo)]
        assert Counter(ana.de("ReservaCreada")) == Counter(acabadas) == Counter(aceptadas)
        assert Counter(ana.de("correo.enviado")) == Counter(aceptadas * 2)
        contados = [evento["id"] for evento in ana.eventos if evento["type"] in ("ReservaCreada", *FINALES)]
        assert sorted(archivo.stem for archivo in suite.buzon) == sorted(contados)
