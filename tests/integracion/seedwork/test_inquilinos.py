"""Un schema por inquilino en PostgreSQL: creado, aislado y sin fugas entre peticiones, hilos ni conexiones del pool."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from tests.integracion.seedwork.banco import BANCO, Abrir, Cuenta, Cuentas, Depositar, Saldo, cuentas
from tests.integracion.seedwork.banco import metadatos as tablas_del_banco
from tests.integracion.seedwork.bases import base_nueva

from seedwork import Mensajeria, message_handler
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.aplicacion.mensajes import Entrada, YaProcesada
from seedwork.aplicacion.modulo import Modulo
from seedwork.dominio.eventos import nuevo_id
from seedwork.dominio.excepciones import NoEncontrado
from seedwork.infraestructura.auditoria import columnas_auditoria
from seedwork.infraestructura.base_datos import SoloLectura, crear_motor, en_schema
from seedwork.infraestructura.inquilinos import SchemaInexistente, SchemaInvalido, SinInquilino, en_nombre_de
from seedwork.infraestructura.sistema import Sistema, bootstrap

PLAZO_S = 30.0
quien: ContextVar[str | None] = ContextVar("quien", default=None)


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    with base_nueva("postgres", tmp_path) as url:
        yield url


def _pool_de_dos(url: str) -> Engine:
    return crear_motor(url, pool_size=2, max_overflow=0)


@contextmanager
def _banco(url: str, *modulos: Modulo, **opciones: Any) -> Iterator[Sistema]:
    bus = bootstrap(
        [BANCO, *modulos],
        base_datos=url,
        servicio="banco",
        **{"base": tablas_del_banco, "crear_schema": True, **opciones},
    )
    try:
        yield bus
    finally:
        bus.cerrar()


@contextmanager
def _por_inquilino(url: str, *modulos: Modulo, **opciones: Any) -> Iterator[Sistema]:
    with _banco(url, *modulos, **{"schema": quien.get, **opciones}) as bus:
        yield bus


@contextmanager
def _de(inquilino: str | None) -> Iterator[None]:
    ficha = quien.set(inquilino)
    yield
    quien.reset(ficha)


def _cuantas(bus: Sistema) -> int:
    return bus.leer(lambda a: len(a.get(Session).execute(select(cuentas.c.id)).all()))


def _tablas(url: str, schema: str) -> set[str]:
    motor = crear_motor(url)
    nombres = set(inspect(motor).get_table_names(schema=schema))
    motor.dispose()
    return nombres


@pytest.mark.capacidad("B01")
def test_crea_el_schema_y_todo_lo_suyo_dentro_y_nada_fuera(postgres: str) -> None:
    with _banco(postgres, schema="ana", usuario="ana") as bus:
        id = nuevo_id()
        bus.ejecutar(Abrir(id=id))
        assert bus.ejecutar(Saldo(id=id)) == 0
        assert bus.motor is not None
        with bus.motor.connect() as conexion:
            assert conexion.execute(text("SELECT count(*) FROM ana.outbox")).scalar_one() == 1
    assert _tablas(postgres, "ana") >= {"cuentas", "outbox", "inbox", "version_seedwork"}
    assert _tablas(postgres, "public") == set()


def test_varios_procesos_que_crean_el_mismo_schema_a_la_vez_lo_crean_una_vez(postgres: str) -> None:
    with ThreadPoolExecutor(6) as hilos:
        armados = [
            hilos.submit(
                lambda: bootstrap([BANCO], base_datos=postgres, schema="a", crear_schema=True, base=tablas_del_banco)
            )
            for _ in range(6)
        ]
        for armado in armados:
            armado.result().cerrar()
    assert "cuentas" in _tablas(postgres, "a")


@pytest.mark.parametrize(
    "nombre", ['a"; DROP SCHEMA public; --', "a b", "Ana", "", "1a", "pg_catalog", "á", "a" * 64, "a-b", "a\n", 7]
)
def test_un_schema_que_no_es_un_identificador_se_rechaza_sin_tocar_la_base(postgres: str, nombre: Any) -> None:
    with pytest.raises(SchemaInvalido, match="no sirve como schema"):
        bootstrap(base_datos=postgres, schema=nombre, crear_schema=True)
    assert _tablas(postgres, "public") == set()


def test_un_schema_que_no_existe_sin_permiso_para_crearlo_se_nombra(postgres: str) -> None:
    with pytest.raises(SchemaInexistente, match="'ana'"):
        bootstrap(base_datos=postgres, schema="ana")
    with (
        _por_inquilino(postgres, crear_schema=False) as bus,
        _de("eva"),
        pytest.raises(SchemaInexistente, match="'eva'"),
    ):
        bus.ejecutar(Abrir(id=nuevo_id()))


def test_en_sqlite_un_schema_es_un_error_que_dice_que_hacer(tmp_path: Path) -> None:
    with pytest.raises(ErrorDeArranque, match="un archivo por inquilino"):
        bootstrap(base_datos=f"sqlite:///{tmp_path}/b.db", schema="ana")


@pytest.mark.capacidad("B01")
def test_dos_inquilinos_no_se_ven_y_sin_inquilino_no_se_entra(postgres: str) -> None:
    id = nuevo_id()
    with _por_inquilino(postgres) as bus:
        with _de("ana"):
            bus.ejecutar(Abrir(id=id))
            bus.ejecutar(Depositar(id=id, importe=5))
        with _de("eva"):
            with pytest.raises(NoEncontrado):
                bus.ejecutar(Depositar(id=id, importe=1))
            bus.ejecutar(Abrir(id=id))  # el mismo id es de cada cual
            assert bus.ejecutar(Saldo(id=id)) == 0
        with _de("ana"):
            assert bus.ejecutar(Saldo(id=id)) == 5
        with pytest.raises(SinInquilino):
            bus.ejecutar(Saldo(id=id))
        with _de("x; --"), pytest.raises(SchemaInvalido):
            bus.ejecutar(Saldo(id=id))


@pytest.mark.capacidad("B01")
def test_con_dos_conexiones_y_ocho_hilos_ninguna_peticion_ve_lo_de_otro_inquilino(postgres: str) -> None:
    fugas: list[Any] = []
    arranque = threading.Barrier(8)

    def trabajar(n: int) -> None:
        inquilino, otro = ("ana", "eva") if n % 2 else ("eva", "ana")
        propias: list[Any] = []
        arranque.wait(PLAZO_S)
        for vuelta in range(12):
            with _de(inquilino):
                id = nuevo_id()
                with suppress(ZeroDivisionError):
                    bus.en_transaccion(partial(_abrir_y_fallar, id=id, fallar=vuelta % 3 == 0))
                if vuelta % 3:
                    propias.append(id)
                vistos = bus.leer(lambda a: set(a.get(Session).scalars(select(cuentas.c.id))))
                crudos = bus.leer(lambda a: set(a.get(Session).scalars(text("SELECT current_schema()"))))
                fugas.extend(falta for falta in propias if falta not in vistos)
                fugas.extend(schema for schema in crudos if schema != inquilino)
            with _de(otro):
                visto = bus.leer(lambda a: set(a.get(Session).scalars(select(cuentas.c.id))))
                fugas.extend(id for id in propias if id in visto)

    with _por_inquilino(postgres, fabrica_motor=_pool_de_dos) as bus:
        with ThreadPoolExecutor(8) as hilos:
            for tarea in [hilos.submit(trabajar, n) for n in range(8)]:
                tarea.result()
        assert fugas == []
        for inquilino in ("ana", "eva"):
            with _de(inquilino):
                assert _cuantas(bus) == 4 * 8
        # la conexión vuelve al pool como salió
        assert bus.motor is not None
        with bus.motor.connect() as una, bus.motor.connect() as otra:
            for conexion in (una, otra):
                assert conexion.execute(text("SELECT current_schema()")).scalar_one() == "public"


def _abrir_y_fallar(t: Any, *, id: Any, fallar: bool) -> None:
    with suppress(DBAPIError), t.uow.savepoint():
        t.ambito.get(Session).execute(text("SELECT 1 / 0"))
    t.ambito.get(Cuentas).guardar(Cuenta.abrir(id))
    if fallar:
        raise ZeroDivisionError


async def test_desde_un_event_loop_cada_tarea_es_de_su_inquilino(postgres: str) -> None:
    async def pedir(inquilino: str) -> None:
        with _de(inquilino):
            await bus.ejecutar_async(Abrir(id=nuevo_id()))

    with _por_inquilino(postgres) as bus:
        await asyncio.gather(*[pedir(inquilino) for inquilino in ["ana", "eva", "eva"] * 5])
        with _de("ana"):
            assert await asyncio.to_thread(_cuantas, bus) == 5
        with _de("eva"):
            assert await asyncio.to_thread(_cuantas, bus) == 10


@pytest.mark.capacidad("B01")
def test_un_inquilino_de_solo_lectura_no_escribe_ni_por_debajo(postgres: str) -> None:
    id = nuevo_id()
    with _por_inquilino(postgres) as bus, _de("ana"):
        bus.ejecutar(Abrir(id=id))
    with _por_inquilino(postgres, crear_schema=False, solo_lectura=True) as lector, _de("ana"):
        assert lector.ejecutar(Saldo(id=id)) == 0
        with pytest.raises(SoloLectura):
            lector.ejecutar(Depositar(id=id, importe=1))
        with pytest.raises(SoloLectura, match="la base no dejó escribir"):
            lector.en_transaccion(lambda t: t.ambito.get(Session).execute(text("UPDATE cuentas SET saldo = 9")))
    with pytest.raises(ErrorDeArranque, match="solo_lectura"):
        bootstrap(base_datos=postgres, schema="ana", crear_schema=True, solo_lectura=True)


@dataclass(frozen=True, kw_only=True)
class Anotar(Comando[None]):
    pass


@pytest.mark.capacidad("B01")
def test_el_usuario_de_cada_peticion_sella_lo_que_escribe(postgres: str) -> None:
    from sqlalchemy import Column, Integer, MetaData, Table, insert

    notas = Table("notas", MetaData(), Column("id", Integer, primary_key=True), *columnas_auditoria())

    def anotar(comando: Anotar, sesion: Session) -> None:
        sesion.execute(insert(notas))

    modulo = Modulo(nombre="notas", comandos={Anotar: anotar})
    with _por_inquilino(postgres, modulo, base=notas.metadata, usuario=lambda: f"{quien.get()}@ejemplo") as bus:
        for inquilino in ("ana", "eva"):
            with _de(inquilino):
                bus.ejecutar(Anotar())
                fila = bus.leer(lambda a: a.get(Session).execute(select(notas)).one())
                assert (fila.creado_por, fila.actualizado_por) == (f"{inquilino}@ejemplo",) * 2


def test_la_misma_clave_de_idempotencia_es_de_cada_inquilino(postgres: str) -> None:
    entrada = Entrada(suscripcion="http", id="clave")
    with _por_inquilino(postgres) as bus:
        for inquilino in ("ana", "eva"):
            with _de(inquilino):
                bus.ejecutar_una_vez(Abrir(id=uuid4()), entrada)
                with pytest.raises(YaProcesada):
                    bus.ejecutar_una_vez(Abrir(id=uuid4()), entrada)
                assert _cuantas(bus) == 1


async def test_los_mensajes_de_todos_salen_por_un_relay_y_vuelven_a_su_inquilino(postgres: str, tmp_path: Path) -> None:
    recibido = asyncio.Event()
    loop = asyncio.get_running_loop()

    @message_handler("cuentas", use_case_name="regalo")
    def regalar(evento: dict[str, Any], sesion: Session) -> None:
        saldo = int(evento["importe"]) + 1
        sesion.execute(text("UPDATE cuentas SET saldo = saldo + :saldo"), {"saldo": saldo})
        pendientes.discard(str(sesion.execute(text("SELECT current_schema()")).scalar_one()))
        if not pendientes:
            loop.call_soon_threadsafe(recibido.set)

    pendientes = {"ana", "eva"}
    id = nuevo_id()
    broker = f"embebido:///{tmp_path}/broker.db"
    with _por_inquilino(postgres, Modulo(nombre="regalos", consumidores=[regalar]), broker=broker) as bus:
        for inquilino in ("ana", "eva"):
            with _de(inquilino):
                await bus.ejecutar_async(Abrir(id=id))
        async with Mensajeria(bus=bus), asyncio.timeout(PLAZO_S):
            await recibido.wait()
        for inquilino in ("ana", "eva"):
            with en_nombre_de(schema=inquilino):
                assert await bus.ejecutar_async(Saldo(id=id)) == 1
        assert bus.motor is not None
        with en_schema(bus.motor, "ana").connect() as conexion:  # el outbox es uno, el común
            assert conexion.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 0
            assert conexion.execute(text("SELECT count(*) FROM public.outbox")).scalar_one() == 2
