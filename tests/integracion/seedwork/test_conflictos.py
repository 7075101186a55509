"""Lo que la base deshace porque dos transacciones se estorban, el bus lo repite desde cero."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from tests.integracion.seedwork.banco import Abrir, Depositar, Saldo, filas_outbox

from seedwork.dominio.eventos import nuevo_id
from seedwork.dominio.excepciones import ConflictoConcurrencia
from seedwork.infraestructura import base_datos
from seedwork.infraestructura.base_datos import BaseOcupada
from seedwork.infraestructura.outbox import DespachadorOutbox
from seedwork.infraestructura.sistema import Sistema

EN_POSTGRES = pytest.mark.parametrize("base", ["postgres"], indirect=True)


def _a_la_vez(*funciones: Callable[[], Any]) -> None:
    with ThreadPoolExecutor(len(funciones)) as hilos:
        for tarea in [hilos.submit(funcion) for funcion in funciones]:
            tarea.result(30)


@EN_POSTGRES
def test_un_interbloqueo_de_dos_transacciones_se_repite_y_las_dos_acaban(bus: Sistema) -> None:
    las_dos_dentro = threading.Barrier(2, timeout=20)
    intentos = {"ab": 0, "ba": 0}

    def dejar(claves: str) -> None:
        def efecto(t: Any) -> None:
            intentos[claves] += 1
            for n, clave in enumerate(claves):
                t.ambito.get(DespachadorOutbox).publicar({}, topico="t", clave=clave, id=f"{claves}-{clave}")
                if n == 0 and intentos[claves] == 1:
                    las_dos_dentro.wait()

        bus.en_transaccion(efecto)

    _a_la_vez(lambda: dejar("ab"), lambda: dejar("ba"))

    assert sorted(intentos.values()) == [1, 2]
    assert {fila.id for fila in filas_outbox(bus)} == {"ab-a", "ab-b", "ba-b", "ba-a"}


@EN_POSTGRES
def test_un_fallo_de_serializacion_se_repite_y_no_se_pierde_ningun_cambio(bus: Sistema) -> None:
    las_dos_leyeron = threading.Barrier(2, timeout=20)
    en_transaccion(bus, "CREATE TABLE contador (n integer)", "INSERT INTO contador VALUES (0)")
    intentos: list[int] = []

    def sumar() -> None:
        mios: list[int] = []

        def efecto(t: Any) -> None:
            sesion = t.ambito.get(Session)
            sesion.connection(execution_options={"isolation_level": "SERIALIZABLE"})
            visto = sesion.execute(text("SELECT n FROM contador")).scalar_one()
            mios.append(visto)
            if len(mios) == 1:
                las_dos_leyeron.wait()
            sesion.execute(text("UPDATE contador SET n = :n"), {"n": visto + 1})

        bus.en_transaccion(efecto)
        intentos.append(len(mios))

    _a_la_vez(sumar, sumar)

    assert sorted(intentos) == [1, 2]
    assert bus.leer(lambda a: a.get(Session).execute(text("SELECT n FROM contador")).scalar_one()) == 2


@EN_POSTGRES
def test_un_interbloqueo_que_se_repite_siempre_sale_como_conflicto(bus: Sistema) -> None:
    en_transaccion(
        bus,
        "CREATE FUNCTION interbloqueo() RETURNS void LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'siempre' USING ERRCODE = '40P01'; END $$",
    )
    intentos: list[int] = []

    def efecto(t: Any) -> None:
        intentos.append(1)
        t.ambito.get(Session).execute(text("SELECT interbloqueo()"))

    with pytest.raises(ConflictoConcurrencia, match="a la vez"):
        bus.en_transaccion(efecto)
    assert len(intentos) == 3


def test_si_otro_proceso_tiene_tomado_sqlite_se_vuelve_a_intentar(
    bus: Sistema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_datos, "ESPERA_BLOQUEO_MS", 50)
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))
    ajena = sqlite3.connect(tmp_path / "banco.db", isolation_level=None)
    ajena.execute("BEGIN IMMEDIATE")
    ocupada: list[Exception] = []
    empezar = base_datos.empezar_a_escribir

    def al_rendirse_se_suelta(*argumentos: Any) -> None:
        try:
            empezar(*argumentos)
        except BaseOcupada as error:
            ocupada.append(error)
            ajena.rollback()
            raise

    monkeypatch.setattr(base_datos, "empezar_a_escribir", al_rendirse_se_suelta)
    bus.ejecutar(Depositar(id=id, importe=3))
    ajena.close()

    assert len(ocupada) == 1
    assert bus.ejecutar(Saldo(id=id)) == 3


def test_si_otro_proceso_no_suelta_sqlite_sale_que_esta_ocupada(
    bus: Sistema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_datos, "ESPERA_BLOQUEO_MS", 50)
    ajena = sqlite3.connect(tmp_path / "banco.db", isolation_level=None)
    ajena.execute("BEGIN IMMEDIATE")
    with pytest.raises(BaseOcupada, match="ocupada"):
        bus.ejecutar(Abrir(id=nuevo_id()))
    ajena.close()


def en_transaccion(bus: Sistema, *sentencias: str) -> None:
    def efecto(t: Any) -> None:
        for sentencia in sentencias:
            t.ambito.get(Session).execute(text(sentencia))

    bus.en_transaccion(efecto)
