"""Muchos a la vez sobre un SQLite de verdad: nadie pisa a nadie y nadie ve «database is locked»."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.integracion.seedwork.banco import (
    Abrir,
    Cuenta,
    Cuentas,
    Depositar,
    Saldo,
    armar,
    cuantas_cuentas,
    filas_outbox,
)
from tests.integracion.seedwork.conftest import Procesos

from seedwork.aplicacion.mensajes import Entrada, HuellaDistinta, YaProcesada
from seedwork.aplicacion.modulo import Modulo
from seedwork.dominio.eventos import nuevo_id
from seedwork.dominio.excepciones import ConflictoConcurrencia
from seedwork.infraestructura.sistema import Sistema


def _a_la_vez(*funciones: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(funciones)) as hilos:
        return [tarea.exception() or tarea.result() for tarea in [hilos.submit(f) for f in funciones]]


def test_dieciseis_hilos_sobre_un_agregado_no_pierden_ni_un_cambio(bus: Sistema) -> None:
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))

    def trabajar() -> None:
        for _ in range(5):
            bus.ejecutar(Depositar(id=id, importe=1))
            bus.ejecutar(Saldo(id=id))

    assert _a_la_vez(*[trabajar] * 16) == [None] * 16
    assert bus.ejecutar(Saldo(id=id)) == 80
    assert len(filas_outbox(bus)) == 81


def test_cuatro_procesos_de_cuatro_hilos_nunca_ven_la_base_bloqueada(
    bus: Sistema, procesos: Procesos, tmp_path: Path
) -> None:
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))
    trabajos = [procesos.lanzar("depositar", tmp_path, id, 4, 10) for _ in range(4)]
    assert [trabajo.communicate(timeout=60)[0] for trabajo in trabajos] == [""] * 4
    assert bus.ejecutar(Saldo(id=id)) == 160


def test_quien_pierde_el_bloqueo_optimista_se_repite_desde_cero(bus: Sistema) -> None:
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))
    vieja = bus.leer(lambda a: a.get(Cuentas).obtener(id))
    bus.ejecutar(Depositar(id=id, importe=1))
    vistas: list[int] = []

    def efecto(t: Any) -> None:
        repositorio = t.ambito.get(Cuentas)
        cuenta = vieja if not vistas else repositorio.obtener(id)
        vistas.append(cuenta.version)
        cuenta.depositar(10)
        repositorio.guardar(cuenta)

    bus.en_transaccion(efecto)
    assert vistas == [1, 2]
    assert bus.ejecutar(Saldo(id=id)) == 11


def test_quien_pierde_siempre_recibe_el_conflicto_y_no_deja_nada(bus: Sistema) -> None:
    intentos: list[int] = []

    def efecto(t: Any) -> None:
        intentos.append(1)
        t.ambito.get(Cuentas)
        raise ConflictoConcurrencia("otro")

    with pytest.raises(ConflictoConcurrencia):
        bus.en_transaccion(efecto)
    assert len(intentos) == 3


def test_la_misma_clave_tiene_un_solo_efecto_aunque_llegue_ocho_veces_a_la_vez(bus: Sistema) -> None:
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))
    entrada = Entrada(suscripcion="api", id="clave", huella="abc")
    comando = Depositar(id=id, importe=7)

    resultados = _a_la_vez(*[lambda: bus.ejecutar_una_vez(comando, entrada)] * 8)

    assert sorted(type(r).__name__ for r in resultados) == ["YaProcesada"] * 7 + ["int"]
    assert {r.resultado for r in resultados if isinstance(r, YaProcesada)} == {"7"}
    assert bus.ejecutar(Saldo(id=id)) == 7


def test_la_misma_clave_con_otro_contenido_es_un_choque(bus: Sistema) -> None:
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))
    entradas = [Entrada(suscripcion="api", id="clave", huella=huella) for huella in "ab"]

    uno, otro = _a_la_vez(
        *[lambda e=e: bus.ejecutar_una_vez(Depositar(id=id, importe=1), e) for e in entradas]  # type: ignore[misc]
    )

    assert {type(uno), type(otro)} == {int, HuellaDistinta}
    assert bus.ejecutar(Saldo(id=id)) == 1
    # la misma clave en otra suscripción es otra
    assert bus.ejecutar_una_vez(Depositar(id=id, importe=1), Entrada(suscripcion="otra", id="clave")) == 2


def test_si_el_comando_falla_su_entrada_no_queda_anotada(bus: Sistema) -> None:
    id = nuevo_id()
    entrada = Entrada(suscripcion="api", id="clave")
    with pytest.raises(Exception, match="No existe"):
        bus.ejecutar_una_vez(Depositar(id=id, importe=1), entrada)
    bus.ejecutar(Abrir(id=id))
    assert bus.ejecutar_una_vez(Depositar(id=id, importe=1), entrada) == 1


async def test_una_transacción_abierta_se_cierra_aunque_todos_los_hilos_la_esperen(bus: Sistema) -> None:
    transaccion = bus.transaccion()
    await bus.en_hilo(transaccion.__enter__)
    await bus.en_hilo(transaccion.ambito.get(Cuentas).guardar, Cuenta.abrir(nuevo_id()))
    detras = [asyncio.create_task(bus.ejecutar_async(Abrir(id=nuevo_id()))) for _ in range(16)]
    async with asyncio.timeout(10):
        while sum(hilo.name.startswith("bus_") for hilo in threading.enumerate()) < 16:
            await asyncio.sleep(0.001)
        await bus.al_cerrar(transaccion.confirmar)
        await bus.al_cerrar(transaccion.__exit__, None, None, None)
        await asyncio.gather(*detras)

    assert cuantas_cuentas(bus) == 17


def test_lo_que_vive_con_el_proceso_se_construye_una_vez_aunque_lo_pidan_a_la_vez(tmp_path: Path) -> None:
    class Conexion:
        abiertas = 0

        def __init__(self) -> None:
            Conexion.abiertas += 1

        def __enter__(self) -> Conexion:
            return self

        def __exit__(self, *error: object) -> None:
            cerradas.append(self)

    cerradas: list[Conexion] = []
    bus = armar(tmp_path, Modulo(nombre="caro", puertos={Conexion: Conexion}))
    vistas = _a_la_vez(*[lambda: bus.leer(lambda a: id(a.get(Conexion)))] * 8)
    assert len(set(vistas)) == 1
    assert (Conexion.abiertas, cerradas) == (1, [])  # no la cierra el mensaje que la pidió primero
    bus.cerrar()
    assert len(cerradas) == 1
