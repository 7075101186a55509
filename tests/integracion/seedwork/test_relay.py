"""El relay sobre SQLite: orden por clave, caídas del broker, mensajes que no se pueden publicar, latencia y purga."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text, update
from tests.integracion.seedwork.banco import Abrir, Depositar, filas_outbox
from tests.integracion.seedwork.bases import EN_AMBAS

from seedwork.dominio.eventos import nuevo_id
from seedwork.infraestructura import relay as modulo_relay
from seedwork.infraestructura.brokers import Broker, BrokerNoDisponible, Mensaje, MensajeNoPublicable
from seedwork.infraestructura.outbox import DespachadorOutbox, carril_de
from seedwork.infraestructura.pendientes import RETENCION_S, atraso_ms, leer
from seedwork.infraestructura.relay import LOTE, Relay
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.sistema import Sistema
from seedwork.infraestructura.tablas import outbox, outbox_carriles


class BrokerFalso:
    """Guarda lo que le publican; se cae cuando le dicen, y rechaza los tópicos que le dicen."""

    def __init__(self) -> None:
        self.publicados: list[Mensaje] = []
        self.lotes: list[int] = []
        self.fallos = 0
        self.caido = False
        self.tarda_s = 0.0
        self.rechaza: set[str] = set()

    async def publicar(self, mensajes: Sequence[Mensaje]) -> None:
        await asyncio.sleep(self.tarda_s)
        if self.caido or self.fallos > 0:
            self.fallos -= 1
            raise BrokerNoDisponible("caído")
        for mensaje in mensajes:
            if mensaje.cabeceras["id"] in self.rechaza:
                raise MensajeNoPublicable(mensaje, "no cabe")
        self.lotes.append(len(mensajes))
        self.publicados += mensajes

    @property
    def ids(self) -> list[str]:
        return [m.cabeceras["id"] for m in self.publicados]


@pytest.fixture
def broker() -> BrokerFalso:
    return BrokerFalso()


@asynccontextmanager
async def en_marcha(bus: Sistema, broker: Any, **opciones: Any) -> AsyncIterator[Relay]:
    assert bus.motor is not None
    relay = Relay(bus.motor, broker, bus.aviso, **opciones)
    tarea = asyncio.create_task(relay.correr())
    try:
        yield relay
    finally:
        relay.parar()
        async with asyncio.timeout(5):
            await tarea


async def hasta(condicion: Callable[[], Any], maximo_s: float = 5) -> None:
    async with asyncio.timeout(maximo_s):
        while not condicion():
            await asyncio.sleep(0.002)


def dejar(bus: Sistema, *mensajes: tuple[str, str | None], topico: str = "t") -> None:
    """Deja mensajes `(id, clave)` en el outbox, en una transacción."""

    def efecto(t: Any) -> None:
        for id, clave in mensajes:
            t.ambito.get(DespachadorOutbox).publicar({}, topico=topico, clave=clave, id=id)

    bus.en_transaccion(efecto)


def pendientes(bus: Sistema) -> int:
    return sum(fila.publicado_ms is None for fila in filas_outbox(bus))


@EN_AMBAS
async def test_lo_confirmado_se_publica_en_orden_y_se_marca(bus: Sistema, broker: BrokerFalso) -> None:
    dejar(bus, *[(f"m{i}", f"k{i % 7}") for i in range(1200)])
    async with en_marcha(bus, broker):
        await hasta(lambda: pendientes(bus) == 0)
    assert broker.ids == [f"m{i}" for i in range(1200)]
    assert max(broker.lotes) == modulo_relay.LOTE


@EN_AMBAS
async def test_con_el_broker_caido_se_espera_y_luego_llega_todo_en_orden_sin_gastar_intentos(
    bus: Sistema, broker: BrokerFalso
) -> None:
    broker.fallos = 3
    dejar(bus, *[(f"a{i}", "k") for i in range(300)])
    async with en_marcha(bus, broker):
        await hasta(lambda: broker.fallos < 3)
        dejar(bus, *[(f"b{i}", "k") for i in range(300)])
        await hasta(lambda: pendientes(bus) == 0, 10)
    assert broker.ids == [f"{letra}{i}" for letra in "ab" for i in range(300)]
    assert all(fila.motivo is None for fila in filas_outbox(bus))


@EN_AMBAS
async def test_con_el_broker_caido_se_intenta_cada_vez_menos_y_parar_no_espera(
    bus: Sistema, broker: BrokerFalso
) -> None:
    broker.caido = True
    dejar(bus, ("m", "k"))
    async with en_marcha(bus, broker):
        await hasta(lambda: broker.fallos < 0)
        for i in range(20):  # los avisos no acortan la espera
            await asyncio.to_thread(dejar, bus, (f"m{i}", "k"))
        assert broker.fallos > -4
        inicio = time.monotonic()
    assert time.monotonic() - inicio < 0.5
    assert pendientes(bus) == 21


@EN_AMBAS
async def test_un_mensaje_que_no_se_puede_publicar_se_estaciona_y_retiene_sólo_lo_que_va_detras_en_su_clave(
    bus: Sistema, broker: BrokerFalso
) -> None:
    broker.rechaza = {"malo"}
    dejar(bus, ("a1", "a"), ("malo", "a"), ("a2", "a"), ("b1", "b"), ("sin", None))
    dejar(bus, ("otro", "a"), topico="t2")
    async with en_marcha(bus, broker):
        await hasta(lambda: len(broker.publicados) == 4)
        dejar(bus, ("a3", "a"), ("b2", "b"))
        await hasta(lambda: len(broker.publicados) == 5)
    assert broker.ids == ["a1", "b1", "sin", "otro", "b2"]
    assert {f.id: f.motivo for f in filas_outbox(bus) if f.publicado_ms is None} == {
        "malo": "no cabe",
        "a2": None,
        "a3": None,
    }
    assert bus.motor is not None
    with bus.motor.connect() as conexion:
        assert atraso_ms(conexion) == 0  # nada que se pueda publicar espera


@EN_AMBAS
async def test_dos_relays_ni_repiten_ni_desordenan_y_al_irse_uno_el_otro_sigue(
    bus: Sistema, broker: BrokerFalso
) -> None:
    broker.tarda_s = 0.005
    ids = [f"m{i}" for i in range(900)]
    async with en_marcha(bus, broker, arriendo_s=0.6):
        async with en_marcha(bus, broker, arriendo_s=0.6):
            for i in range(0, 600, 100):
                await asyncio.to_thread(dejar, bus, *[(id, "k") for id in ids[i : i + 100]])
            await hasta(lambda: pendientes(bus) == 0)
        dejar(bus, *[(id, "k") for id in ids[600:]])
        await hasta(lambda: pendientes(bus) == 0)
    assert broker.ids == ids


@EN_AMBAS
async def test_un_broker_mas_lento_que_el_arriendo_no_pierde_los_carriles(bus: Sistema, broker: BrokerFalso) -> None:
    broker.tarda_s = 1.0
    dejar(bus, ("m1", "k"))
    async with en_marcha(bus, broker, arriendo_s=0.3):
        await hasta(lambda: _duenos(bus) != {None})
        async with en_marcha(bus, broker, arriendo_s=0.3):
            await hasta(lambda: pendientes(bus) == 0)
    assert broker.ids == ["m1"]


@EN_AMBAS
async def test_los_carriles_de_un_relay_muerto_pasan_a_otro_cuando_vence_su_arriendo(
    bus: Sistema, broker: BrokerFalso
) -> None:
    assert bus.motor is not None
    with bus.motor.begin() as conexion:
        conexion.execute(update(outbox_carriles).values(dueno="muerto", vence_ms=ahora_ms() + 500))
    dejar(bus, ("m1", "k"))
    async with en_marcha(bus, broker, arriendo_s=0.3):
        await hasta(lambda: broker.ids == ["m1"], 3)
    assert _duenos(bus) == {None}  # al parar los deja


def _duenos(bus: Sistema) -> set[str | None]:
    assert bus.motor is not None
    with bus.motor.connect() as conexion:
        return set(conexion.scalars(select(outbox_carriles.c.dueno)))


@EN_AMBAS
async def test_un_fallo_inesperado_no_termina_el_relay(
    bus: Sistema, broker: BrokerFalso, monkeypatch: pytest.MonkeyPatch
) -> None:
    publicar: Callable[[Sequence[Mensaje]], Awaitable[None]] = broker.publicar
    fallos = iter([RuntimeError("raro"), OSError("más raro")])

    async def a_veces(mensajes: Sequence[Mensaje]) -> None:
        for fallo in fallos:
            raise fallo
        await publicar(mensajes)

    monkeypatch.setattr(broker, "publicar", a_veces)
    dejar(bus, ("m1", "k"))
    async with en_marcha(bus, broker):
        await hasta(lambda: broker.ids == ["m1"])


@EN_AMBAS
async def test_en_reposo_un_mensaje_sale_enseguida(bus: Sistema, broker: BrokerFalso) -> None:
    latencias: list[float] = []
    async with en_marcha(bus, broker):
        await hasta(lambda: _duenos(bus) != {None})
        for i in range(10):
            await asyncio.sleep(0.06)
            await asyncio.to_thread(dejar, bus, (f"m{i}", "k"))
            inicio = time.monotonic()
            await hasta(lambda i=i: len(broker.publicados) == i + 1)  # type: ignore[misc]
            latencias.append(time.monotonic() - inicio)
    assert sorted(latencias)[5] < 0.1, latencias


@EN_AMBAS
async def test_bajo_carga_se_publica_en_lotes(bus: Sistema, broker: BrokerFalso) -> None:
    async with en_marcha(bus, broker):
        await hasta(lambda: _duenos(bus) != {None})

        def producir() -> None:
            for i in range(100):
                dejar(bus, (f"m{i}", "k"))

        await asyncio.to_thread(producir)
        await hasta(lambda: pendientes(bus) == 0)
    assert broker.ids == [f"m{i}" for i in range(100)]
    assert len(broker.lotes) < 60, broker.lotes


@EN_AMBAS
async def test_se_purga_lo_publicado_hace_mucho_y_nada_mas(
    bus: Sistema, broker: BrokerFalso, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modulo_relay, "LOTE", 3)
    assert bus.motor is not None
    dejar(bus, *[(f"m{i}", None) for i in range(10)])
    with bus.motor.begin() as conexion:
        viejas = outbox.c.secuencia <= 8
        conexion.execute(update(outbox).where(viejas).values(publicado_ms=ahora_ms() - (RETENCION_S + 1) * 1000))
        conexion.execute(update(outbox).where(outbox.c.id == "m8").values(publicado_ms=ahora_ms()))
    broker.caido = True
    async with en_marcha(bus, broker):
        await asyncio.sleep(0)  # con el broker caído no se purga, y nada se pierde
        broker.caido = False
        dejar(bus, ("m10", None))
        await hasta(lambda: len(filas_outbox(bus)) == 3)
    assert [fila.id for fila in filas_outbox(bus)] == ["m8", "m9", "m10"]


def test_cien_mil_filas_publicadas_no_cuestan_al_relay_en_reposo(bus: Sistema) -> None:
    assert bus.motor is not None
    with bus.motor.begin() as conexion:
        conexion.execute(
            text(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
                " INSERT INTO outbox (carril, id, topico, clave, cabeceras, cuerpo, creado_ms, publicado_ms)"
                " SELECT i % 16, 'm' || i, 't', 'k', '{}', x'00', 0, :ahora FROM n"
            ),
            {"ahora": ahora_ms()},
        )
    consultas: list[tuple[str, Any]] = []
    event.listen(bus.motor, "before_cursor_execute", lambda *a: consultas.append((a[2], a[3])))
    with bus.motor.connect() as conexion:
        inicio = time.perf_counter()
        assert leer(conexion, range(16), LOTE) == []
        assert atraso_ms(conexion) == 0
        assert time.perf_counter() - inicio < 0.1
        planes = [
            " | ".join(fila.detail for fila in conexion.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parametros))
            for sql, parametros in [c for c in consultas if c[0].startswith("SELECT")]
        ]
    assert len(planes) == 2
    for plan in planes:
        assert "USING INDEX outbox_pendientes" in plan, plan
        assert "outbox_estacionados" in plan, plan
        assert "TEMP B-TREE" not in plan, plan


@EN_AMBAS
async def test_el_atraso_es_la_espera_del_mas_viejo(bus: Sistema) -> None:
    assert bus.motor is not None
    with bus.motor.connect() as conexion:
        assert atraso_ms(conexion) == 0
    dejar(bus, ("m1", "k"), ("m2", "k"))
    with bus.motor.begin() as conexion:
        conexion.execute(update(outbox).where(outbox.c.id == "m1").values(creado_ms=ahora_ms() - 5000))
        assert 5000 <= atraso_ms(conexion) < 8000


def test_el_carril_de_una_clave_es_siempre_el_mismo_y_hay_de_todos() -> None:
    assert carril_de("a") == carril_de("a") == 3
    assert {carril_de(f"clave {i}") for i in range(500)} == set(range(16))
    assert 0 <= carril_de("\ud800") < 16


@EN_AMBAS
async def test_dos_mensajes_con_el_mismo_id_no_caben_en_el_outbox(bus: Sistema) -> None:
    with pytest.raises(Exception, match=r"(?i)unique"):
        dejar(bus, ("m", "k"), ("m", "k"))
    assert filas_outbox(bus) == []


async def test_un_broker_embebido_de_verdad_recibe_lo_que_el_banco_publica(bus: Sistema, tmp_path: Path) -> None:
    from seedwork.infraestructura.brokers import conectar

    real: Broker = conectar(f"embebido:///{tmp_path}/broker.db")
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))
    async with en_marcha(bus, real):
        suscripcion = await real.suscribir("s", ["cuentas"])
        bus.ejecutar(Depositar(id=id, importe=2))
        recibidos: list[str] = []
        async with asyncio.timeout(5):
            while len(recibidos) < 2:
                entregas = await suscripcion.recibir(10)
                recibidos += [e.mensaje.cabeceras["type"] for e in entregas]
                await suscripcion.confirmar(entregas)
    await real.cerrar()
    assert recibidos == ["CuentaAbierta", "DineroDepositado"]
