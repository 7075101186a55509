"""La misma reserva sin nadie que la lleve: acaba igual, y el dinero cuadra igual."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select
from tests.integracion.aeroalpes.contexto import Contexto, mensaje
from tests.integracion.aeroalpes.reservas import cuerpo
from tests.integracion.aeroalpes.reservas_en_marcha import NACIO, acaba, cambiando, reserva, suite_en, vuelos_con_plazo
from tests.integracion.muertes import muriendo
from tests.integracion.seedwork.bases import EN_AMBAS, base_nueva

from aeroalpes.api import create_app
from aeroalpes.composicion import COREOGRAFIADOS, MODULOS
from aeroalpes.modulos.gds.infraestructura.tablas import confirmaciones
from aeroalpes.modulos.gds.modulo import GDS_COREOGRAFIADO
from aeroalpes.modulos.hoteles.infraestructura.cupo import HABITACIONES
from aeroalpes.modulos.hoteles.infraestructura.tablas import noches
from aeroalpes.modulos.pagos.aplicacion.queries.obtener_pago import ObtenerPago
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import comandos as comandos_pago
from aeroalpes.modulos.vehiculos.infraestructura.tablas import alquileres
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos
from seedwork.aplicacion.sagas.seguimiento import ListarSagas, ObtenerSaga


@pytest.fixture
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with base_nueva(request.param, tmp_path) as url:
        yield url


async def saldo(suite: Contexto, id: uuid.UUID) -> int:
    """Lo que queda cobrado cuando el pago ya no se va a mover."""
    async with asyncio.timeout(30):
        while (pago := await suite.sistema.ejecutar_async(ObtenerPago(id_reserva=id))).estado not in _QUIETO:
            await asyncio.sleep(0.02)
    return pago.saldo


_QUIETO = ("COBRADO", "REVERTIDO")


@pytest.mark.capacidad("X02")
@EN_AMBAS
async def test_sin_director_cada_reserva_acaba_igual_y_lo_que_no_pudo_ser_queda_deshecho(
    base: str, tmp_path: Path
) -> None:
    async with suite_en(tmp_path, base, COREOGRAFIADOS) as suite:
        with suite.sistema.motor.begin() as conexion:  # type: ignore[union-attr]
            conexion.execute(insert(noches).values(hotel="Lleno", fecha=NACIO.date(), ocupadas=HABITACIONES))
        pedidas = [
            reserva(),
            reserva(hotel="Dann", edad=21),
            reserva(medio="tok_rechazado", hotel="Dann"),
            reserva(destino="ZZZ", edad=30),
            reserva(hotel="Lleno"),
            reserva(hotel="Dann", edad=20),
        ]
        ids = [await suite.sistema.ejecutar_async(pedida) for pedida in pedidas]
        finales = [await acaba(suite, id) for id in ids]
        saldos = [await saldo(suite, id) for id in ids]

        def plazas() -> Any:
            with suite.sistema.motor.connect() as conexion:  # type: ignore[union-attr]
                estados = {fila.id: fila.estado for fila in conexion.execute(select(confirmaciones))}
                ocupadas = {fila.hotel: fila.ocupadas for fila in conexion.execute(select(noches))}
                apartados = list(conexion.scalars(select(alquileres.c.fase))).count("APARTADO")
            return [estados.get(id) for id in ids], ocupadas, apartados

        sueltas = [*["CONFIRMADA"] * 2, *["REVERTIDA"] * 4], {"Dann": 1, "Lleno": HABITACIONES}, 1
        await suite.hasta(lambda: plazas() == sueltas, f"todo se soltara: {plazas()}")
        assert (await suite.sistema.ejecutar_async(ListarSagas())).sagas == ()
    assert finales[:2] == [("APROBADA", None)] * 2
    assert [estado for estado, _ in finales[2:]] == ["CANCELADA"] * 4
    assert [finales[i][1] for i in (2, 4, 5)] == [
        "El banco rechazó el cobro",
        "No quedan habitaciones esa noche",
        "Para conducir hay que tener al menos 21 años",
    ]
    assert "ZZZ" in str(finales[3][1])
    assert [saldo > 0 for saldo in saldos] == [True, True, False, False, False, False]


async def test_lo_que_no_se_completa_a_tiempo_se_cancela_y_lo_que_llega_tarde_se_deshace(tmp_path: Path) -> None:
    sordo = replace(GDS_COREOGRAFIADO, consumidores=[])
    sin_gds = cambiando(vuelos_con_plazo(0.5), sordo, en=COREOGRAFIADOS)
    async with suite_en(tmp_path, modulos=sin_gds) as suite:
        lento, esperado = reserva(medio="tok_lento"), reserva()
        for pedida in (lento, esperado):
            await suite.sistema.ejecutar_async(pedida)
        vencida = ("CANCELADA", "La reserva no se completó en 0.5 s")
        assert [await acaba(suite, pedida.id) for pedida in (lento, esperado)] == [vencida] * 2
        assert [await saldo(suite, pedida.id) for pedida in (lento, esperado)] == [0, 0]
    async with suite_en(tmp_path, modulos=COREOGRAFIADOS) as suite:  # las aerolíneas vuelven y atienden lo pedido

        def estado() -> Any:
            with suite.sistema.motor.connect() as conexion:  # type: ignore[union-attr]
                return {fila.id: fila.estado for fila in conexion.execute(select(confirmaciones))}

        await suite.hasta(lambda: estado() == dict.fromkeys([lento.id, esperado.id], "REVERTIDA"), "se soltaran")


def _cancelada(suite: Contexto, id: uuid.UUID) -> bool:
    pago = suite.sistema.ejecutar(ObtenerPago(id_reserva=id))
    return "ReservaCancelada" in suite.tipos(id) and pago.estado == "REVERTIDO"


async def test_si_alguien_la_cancela_o_deshace_su_pago_se_deshace_todo(tmp_path: Path) -> None:
    async with suite_en(tmp_path, modulos=COREOGRAFIADOS) as suite:
        ids = [await suite.sistema.ejecutar_async(reserva()) for _ in range(2)]
        for id in ids:
            await acaba(suite, id)
        cancelar = comandos.CancelarReserva(id_reserva=str(ids[0]), motivo="ya no voy")
        revertir = comandos_pago.RevertirPago(id_reserva=str(ids[1]))
        await suite.mandar(
            mensaje(comandos.ComandosReserva, comandos.TOPICO, "CancelarReserva", ids[0], cancelar_reserva=cancelar),
            mensaje(comandos_pago.ComandosPago, comandos_pago.TOPICO, "RevertirPago", ids[1], revertir_pago=revertir),
        )
        for id, motivo in zip(ids, ("ya no voy", "El pago se devolvió"), strict=True):
            await suite.hasta(partial(_cancelada, suite, id), "se cancelara y se devolviera")
            assert await acaba(suite, id) == ("CANCELADA", motivo)


async def test_las_sagas_que_habia_acaban_y_no_empieza_ninguna_mas(tmp_path: Path) -> None:
    sordo = cambiando(replace(GDS_COREOGRAFIADO, consumidores=[]))
    async with suite_en(tmp_path, modulos=sordo) as suite:
        con_saga = await suite.sistema.ejecutar_async(reserva())
        await suite.hasta(lambda: "ReservaPagada" in suite.tipos(con_saga), "se pagara")
    async with suite_en(tmp_path, modulos=COREOGRAFIADOS) as suite:
        sola = await suite.sistema.ejecutar_async(reserva())
        assert [await acaba(suite, id) for id in (con_saga, sola)] == [("APROBADA", None)] * 2
        completada = ObtenerSaga(saga="reservar", clave=str(con_saga))
        await suite.hasta(lambda: suite.sistema.ejecutar(completada).saga.estado == "COMPLETADA", "acabara la saga")
        (unica,) = (await suite.sistema.ejecutar_async(ListarSagas())).sagas
        assert unica.clave == str(con_saga)


@pytest.mark.capacidad("X02")
def test_muera_donde_muera_el_proceso_tambien_acaba_y_el_dinero_cuadra(tmp_path: Path) -> None:
    finales = muriendo("tests.integracion.aeroalpes.reserva_proceso", tmp_path, "20", "coreografiada")
    for final in finales.values():
        assert final.pop("pago") == "REVERTIDO"
        assert final.pop("cobros") <= 1
    deshecho = {"reserva": "CANCELADA", "habitaciones": 0, "coche": "SUELTO", "cobrado": False, "saldo_en_el_banco": 0}
    assert finales == dict.fromkeys(finales, deshecho)


def test_la_configuracion_dice_quien_lleva_las_reservas(tmp_path: Path) -> None:
    for saga, esperados in (("orquestada", MODULOS), ("coreografiada", COREOGRAFIADOS)):
        app = create_app({"AEROALPES_DATOS": tmp_path, "AEROALPES_TRABAJADOR": "aparte", "AEROALPES_SAGA": saga})
        contextos = {c["contexto"]: c for c in app.test_client().get("/mapa").json["contextos"]}
        for modulo in esperados:
            atiende = contextos.get(modulo.nombre, {}).get("atiende", [])
            assert len(atiende) == sum(len(c.topicos) for c in modulo.consumidores), modulo.nombre
        app.extensions["en_marcha"].parar()


def test_por_http_se_dice_que_no_hay_saga_y_donde_mirar(tmp_path: Path) -> None:
    app = create_app({"AEROALPES_DATOS": tmp_path, "AEROALPES_TRABAJADOR": "aparte", "AEROALPES_SAGA": "coreografiada"})
    http = app.test_client()
    assert http.get("/sagas").json == {"manera": "coreografiada", "sagas": [], "siguiente": None}
    id = http.post("/vuelos/reserva", json=cuerpo()).json["id"]
    for respuesta in (http.get(f"/sagas/{id}"), http.post(f"/sagas/{id}/reanudar")):
        assert (respuesta.status_code, respuesta.json["manera"]) == (404, "coreografiada")
        assert f"AEROALPES_SAGA=coreografiada), y cómo va se ve en /vuelos/reserva/{id}" in respuesta.json["detail"]
    assert http.get(f"/vuelos/reserva/{id}").json["estado"] == "PENDIENTE"
    app.extensions["en_marcha"].parar()
