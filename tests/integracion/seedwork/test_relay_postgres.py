"""Lo que el relay debe a PostgreSQL: avisos entre procesos, transacciones abiertas y un millón de filas."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, event, text, update
from structlog.testing import capture_logs
from tests.integracion.seedwork.test_relay import BrokerFalso, dejar, en_marcha, hasta, pendientes

from seedwork.infraestructura.outbox import AvisoOutbox, DespachadorOutbox
from seedwork.infraestructura.pendientes import atraso_ms, leer
from seedwork.infraestructura.relay import LOTE, Relay
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.sistema import Sistema
from seedwork.infraestructura.tablas import outbox

pytestmark = pytest.mark.parametrize("base", ["postgres"], indirect=True)


@pytest.fixture
def broker() -> BrokerFalso:
    return BrokerFalso()


def _motor(bus: Sistema) -> Engine:
    assert bus.motor is not None
    return bus.motor


def _oyentes(bus: Sistema) -> Sequence[int]:
    with _motor(bus).connect() as conexion:
        return conexion.scalars(
            text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
        ).all()


async def test_el_aviso_de_otro_proceso_llega_aunque_se_pierda_la_conexion_que_escucha(
    bus: Sistema, broker: BrokerFalso
) -> None:
    ajeno = AvisoOutbox()  # como si confirmara otro proceso: sólo queda NOTIFY
    relay = Relay(_motor(bus), broker, ajeno)  # type: ignore[arg-type]
    tarea = asyncio.create_task(relay.correr())
    with capture_logs() as registros:
        await hasta(lambda: len(_oyentes(bus)) == 1)
        (pid,) = _oyentes(bus)
        with _motor(bus).begin() as conexion:
            conexion.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        await asyncio.to_thread(dejar, bus, ("mientras", "k"))
        await hasta(lambda: broker.ids == ["mientras"])
        await hasta(lambda: [oyente for oyente in _oyentes(bus) if oyente != pid], 20)
        latencias: list[float] = []
        for i in range(10):
            await asyncio.to_thread(dejar, bus, (f"m{i}", "k"))
            inicio = time.monotonic()
            await hasta(lambda i=i: len(broker.publicados) == i + 2)  # type: ignore[misc]
            latencias.append(time.monotonic() - inicio)
    relay.parar()
    await tarea
    assert "relay.sin_avisos" in [registro["event"] for registro in registros]
    assert sorted(latencias)[5] < 0.15, latencias  # el sondeo de respaldo tardaría medio segundo


async def test_una_transaccion_abierta_no_deja_que_la_adelanten_en_su_clave_y_no_retiene_a_las_demas(
    bus: Sistema, broker: BrokerFalso
) -> None:
    seguir = asyncio.Event()
    loop = asyncio.get_running_loop()
    abierta = asyncio.Event()

    def despacio(t: Any) -> None:
        t.ambito.get(DespachadorOutbox).publicar({}, topico="t", clave="k", id="primero")
        loop.call_soon_threadsafe(abierta.set)
        asyncio.run_coroutine_threadsafe(seguir.wait(), loop).result(20)

    async with en_marcha(bus, broker):
        lenta = asyncio.create_task(asyncio.to_thread(bus.en_transaccion, despacio))
        await abierta.wait()
        segunda = asyncio.create_task(asyncio.to_thread(dejar, bus, ("segundo", "k")))
        await asyncio.to_thread(dejar, bus, ("otro", "j"))
        await hasta(lambda: broker.ids == ["otro"])
        await hasta(lambda: _esperan_turno(bus) == 1)
        assert not segunda.done()
        seguir.set()
        await asyncio.gather(lenta, segunda)
        await hasta(lambda: pendientes(bus) == 0)
    assert broker.ids == ["otro", "primero", "segundo"]


def _esperan_turno(bus: Sistema) -> int:
    with _motor(bus).connect() as conexion:
        return conexion.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")) or 0


def test_un_millon_de_filas_no_le_cuestan_al_relay(bus: Sistema) -> None:
    with _motor(bus).begin() as conexion:
        conexion.execute(
            text(
                "INSERT INTO outbox (carril, id, topico, clave, cabeceras, cuerpo, creado_ms)"
                " SELECT i % 16, 'm' || i, 't', 'k' || i % 1000, '{}', '', 0 FROM generate_series(1, 1000000) i"
            )
        )
        conexion.exec_driver_sql("ANALYZE outbox")
    assert _bloques_por_vuelta(bus) < 200
    with _motor(bus).begin() as conexion:  # vuelve el broker; las estadísticas aún creen que todo está pendiente
        conexion.execute(update(outbox).where(outbox.c.secuencia <= 100_000).values(publicado_ms=ahora_ms()))
    assert _bloques_por_vuelta(bus) < 1500  # por la clave primaria serían varios miles


def _bloques_por_vuelta(bus: Sistema) -> int:
    """Los bloques que toca cada vuelta del relay y quien mide su atraso."""
    consultas: list[tuple[str, Any]] = []

    def anotar(*argumentos: Any) -> None:
        consultas.append((argumentos[2], argumentos[3]))

    event.listen(_motor(bus), "before_cursor_execute", anotar)
    bloques = 0
    with _motor(bus).connect() as conexion:
        assert len(leer(conexion, range(16), LOTE)) == LOTE
        atraso_ms(conexion)
        event.remove(_motor(bus), "before_cursor_execute", anotar)
        for sql, parametros in [consulta for consulta in consultas if consulta[0].startswith("SELECT")]:
            (plan,) = conexion.exec_driver_sql(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", parametros
            ).scalar_one()
            assert "outbox_pendientes" in str(plan), plan
            bloques += plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    return bloques
