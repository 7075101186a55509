"""El mismo recorrido en los cinco brokers y en las dos bases: sólo cambia la configuración."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from google.protobuf.json_format import ParseDict
from sqlalchemy import update
from tests.e2e.brokers import BROKERS
from tests.e2e.suite import SuiteReal, entorno_de, reserva_nueva
from tests.integracion.espectador import Espectador, mirando
from tests.integracion.eventos_reserva import conectado, crear
from tests.integracion.seedwork.bases import base_nueva
from tests.integracion.sidecar_apoyo import pb
from tests.procesos import Proceso, hasta

from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos
from arranque.aeroalpes import suite as tabla
from seedwork.infraestructura.base_datos import crear_motor
from seedwork.infraestructura.codificacion import codificar
from seedwork.infraestructura.tablas import sagas

# Sobre PostgreSQL, además, el trabajador va en otro proceso.
TRABAJADOR = {"sqlite": "dentro", "postgres": "aparte"}
DE_CONFIGURACION = {"BROKER_URL", "DATABASE_URL", "AEROALPES_TRABAJADOR"}
PLAZO_S = 60.0
HOTEL_Y_COCHE = {
    "hotel": {"hotel": "Dann", "fecha": "2022-11-22"},
    "vehiculo": {"dias": 3, "edad_conductor": 30},
}
APROBADA = ["ReservaCreada", "ReservaPagada", "ReservaAprobada"]
RECHAZADA = ["ReservaCreada", "ReservaCancelada"]
DESHECHA = ["ReservaCreada", "ReservaPagada", "ReservaCancelada"]


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with BROKERS[request.param](tmp_path) as url:
        yield url


@pytest.fixture(params=TRABAJADOR)
def configuracion(request: pytest.FixtureRequest, broker: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Lo único que distingue a una corrida de otra."""
    with base_nueva(request.param, tmp_path) as base:
        yield {"BROKER_URL": broker, "DATABASE_URL": base, "AEROALPES_TRABAJADOR": TRABAJADOR[request.param]}


@pytest.mark.capacidad("A08", "A14", "X03")
async def test_reservada_por_cualquier_puerta_acaba_aprobada_o_deshecha_en_cualquier_broker_y_base(
    configuracion: dict[str, str], tmp_path: Path
) -> None:
    with SuiteReal(tmp_path / "datos", **configuracion) as suite:
        procesos = _lanzar(suite)
        await asyncio.to_thread(suite.esperar, *procesos.values())
        async with (
            mirando(suite.ui) as ana,
            httpx.AsyncClient(base_url=suite.api, trust_env=False, timeout=30) as http,
        ):
            buenas = [
                await _pedir(http, "reserva", reserva_nueva()),
                await _pedir(http, "reserva-comando", reserva_nueva(medio="tok_bueno") | HOTEL_Y_COCHE),
                await asyncio.to_thread(_por_grpc, suite),
                await _por_el_broker(suite),
            ]
            rechazada = await _pedir(http, "reserva-comando", reserva_nueva(medio="tok_rechazado"))
            sin_plazas = await _pedir(http, "reserva", reserva_nueva(destino="ZZZ"))
            lenta = await _pedir(http, "reserva", reserva_nueva(medio="tok_lento"))
            await asyncio.to_thread(_vencer, configuracion["DATABASE_URL"], lenta)
            historias = {
                **dict.fromkeys(buenas, APROBADA),
                **dict.fromkeys((rechazada, lenta), RECHAZADA),
                sin_plazas: DESHECHA,
            }
            await ana.hasta(
                lambda: len(ana.de("correo.enviado")) >= 2 * len(historias), f"se contara todo {suite.datos}", PLAZO_S
            )

            assert {id: _historia(ana, id) for id in historias} == historias
            assert ana.repetidos == []
            for id in buenas:
                assert await _final(http, id) == ("APROBADA", None, True)
            assert await _final(http, rechazada) == ("CANCELADA", "El banco rechazó el cobro", False)
            estado, motivo, cobrada = await _final(http, sin_plazas)
            assert (estado, "ZZZ" in str(motivo), cobrada) == ("CANCELADA", True, False)
            assert await _final(http, lenta) == ("CANCELADA", "PagarReserva no respondió en 30 s", False)
            assert await _pasos(http, buenas[0], "COMPLETADA") == ["HECHO", "HECHO", "OMITIDO", "OMITIDO", "HECHO"]
            assert await _pasos(http, buenas[1], "COMPLETADA") == ["HECHO"] * 5
            assert await _pasos(http, rechazada, "COMPENSADA") == ["FALLIDO", *["PENDIENTE"] * 4]
            assert await _pasos(http, sin_plazas, "COMPENSADA") == ["COMPENSADO", "FALLIDO", *["PENDIENTE"] * 3]
            assert await _pasos(http, lenta, "COMPENSADA") == ["COMPENSADO", *["PENDIENTE"] * 4]
        assert await asyncio.to_thread(_estado_por_grpc, suite, buenas[2]) == "APROBADA"
        assert _asuntos(suite) == Counter(
            [f"Recibimos tu reserva {id[:8]}" for id in historias]
            + [f"Tu reserva {id[:8]} está aprobada" for id in buenas]
            + [f"Tu reserva {id[:8]} se canceló" for id in (rechazada, sin_plazas, lenta)]
        )
        codigos = {nombre: await asyncio.to_thread(proceso.parar, plazo_s=20) for nombre, proceso in procesos.items()}
        assert codigos == dict.fromkeys(procesos, 0)
        for nombre, proceso in procesos.items():
            assert "Traceback" not in proceso.salida, nombre


@pytest.mark.capacidad("A14")
def test_cambiar_de_broker_o_de_base_no_cambia_mas_que_variables_de_entorno(tmp_path: Path) -> None:
    uno = entorno_de(tmp_path)
    otro = uno | {"BROKER_URL": "kafka://k:9092", "DATABASE_URL": "postgresql://p/a", "AEROALPES_TRABAJADOR": "aparte"}

    assert {variable for variable in otro if otro[variable] != uno.get(variable)} == DE_CONFIGURACION
    assert [fila.orden for fila in tabla(otro).procesos] == [fila.orden for fila in tabla(uno).procesos]


def _lanzar(suite: SuiteReal) -> dict[str, Proceso]:
    procesos = {nombre: suite.lanzar(nombre) for nombre in ("api", "sidecar", "notificaciones", "ui")}
    if suite.entorno["AEROALPES_TRABAJADOR"] == "aparte":
        procesos["trabajador"] = suite.trabajador()
    return procesos


async def _pedir(http: httpx.AsyncClient, recurso: str, cuerpo: dict[str, Any]) -> str:
    respuesta = await http.post(f"/vuelos/{recurso}", json=cuerpo)
    assert respuesta.status_code == (202 if recurso == "reserva-comando" else 200), respuesta.text
    return str(respuesta.json()["id"])


def _por_grpc(suite: SuiteReal) -> str:
    with suite.vuelos() as vuelos:
        return str(vuelos.CrearReserva(ParseDict(reserva_nueva(), pb.Reserva()), timeout=20).reserva.id)


def _estado_por_grpc(suite: SuiteReal, id: str) -> str:
    with suite.vuelos() as vuelos:
        return str(vuelos.ConsultarReserva(pb.QueryReserva(id=id), timeout=20).reserva.estado)


async def _por_el_broker(suite: SuiteReal) -> str:
    """Como la pediría otro servicio: con el comando en su tópico."""
    id = str(uuid4())
    async with conectado(suite.broker) as broker:
        await broker.publicar([codificar(crear(id), topico=comandos.TOPICO, servicio="ajeno", clave=id)])
    return id


def _vencer(base: str, id: str) -> None:
    """Adelanta el plazo del paso en que está la saga de una reserva, que es durable, para no esperar 30 s."""
    motor = crear_motor(base)

    def adelantado() -> int:
        with motor.begin() as conexion:
            return conexion.execute(update(sagas).where(sagas.c.clave == id).values(vence_ms=0)).rowcount

    hasta(adelantado, "empezara la saga")
    motor.dispose()


async def _final(http: httpx.AsyncClient, id: str) -> tuple[str, str | None, bool]:
    """Cómo acabó una reserva, por qué, y si el dinero sigue cobrado."""
    reserva, pago = [(await http.get(f"/{ruta}/{id}")).json() for ruta in ("vuelos/reserva", "pagos")]
    assert pago["saldo"] in (0, pago["monto"])
    return reserva["estado"], reserva["motivo"], pago["saldo"] > 0


async def _pasos(http: httpx.AsyncClient, id: str, estado: str) -> list[str]:
    """Cómo quedó cada paso de la saga, cuando ella misma sabe que terminó así."""
    async with asyncio.timeout(PLAZO_S):
        while (saga := (await http.get(f"/sagas/{id}")).json())["estado"] != estado:
            await asyncio.sleep(0.05)
    return [paso["estado"] for paso in saga["pasos"]]


def _historia(quien: Espectador, id: str) -> list[str]:
    return [e["type"] for e in quien.eventos if e["subject"] == id and e["type"].startswith("Reserva")]


def _asuntos(suite: SuiteReal) -> Counter[str]:
    correos = [message_from_bytes(archivo.read_bytes(), policy=policy.default) for archivo in suite.buzon]
    return Counter(str(correo["Subject"]) for correo in correos)
