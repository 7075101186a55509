"""La unidad de trabajo en SQLite y en PostgreSQL: bloqueos, savepoints, sólo lectura y sellos de auditoría."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Uuid, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from tests.integracion.seedwork.banco import (
    BANCO,
    Abrir,
    Cuenta,
    Cuentas,
    Depositar,
    Saldo,
    armar,
    cuantas_cuentas,
    filas_outbox,
)
from tests.integracion.seedwork.bases import EN_AMBAS

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.modulo import Modulo
from seedwork.dominio.eventos import ahora, nuevo_id
from seedwork.dominio.excepciones import ConflictoConcurrencia, ReglaIncumplida
from seedwork.infraestructura.auditoria import Auditoria, columnas_auditoria
from seedwork.infraestructura.base_datos import SoloLectura
from seedwork.infraestructura.inquilinos import BaseSinMigrar, en_nombre_de
from seedwork.infraestructura.sistema import Sistema, bootstrap


@EN_AMBAS
def test_un_conflicto_que_no_cede_sale_tras_los_intentos_y_no_deja_nada(bus: Sistema) -> None:
    id = nuevo_id()
    bus.ejecutar(Abrir(id=id))
    vieja = bus.leer(lambda a: a.get(Cuentas).obtener(id))
    bus.ejecutar(Depositar(id=id, importe=1))
    intentos: list[int] = []

    def efecto(t: Any) -> None:
        intentos.append(1)
        t.ambito.get(Cuentas).guardar(Cuenta.abrir(nuevo_id()))
        t.ambito.get(Cuentas).guardar(replace(vieja, saldo=99))

    with pytest.raises(ConflictoConcurrencia, match=str(id)):
        bus.en_transaccion(efecto)
    assert len(intentos) == 3
    assert (cuantas_cuentas(bus), bus.ejecutar(Saldo(id=id))) == (1, 1)


@EN_AMBAS
def test_un_savepoint_que_falla_deshace_lo_suyo_con_sus_eventos_y_lo_demas_sigue(bus: Sistema) -> None:
    antes, dentro = nuevo_id(), nuevo_id()

    def efecto(t: Any) -> None:
        repositorio = t.ambito.get(Cuentas)
        cuenta = Cuenta.abrir(antes)
        repositorio.guardar(cuenta)
        with suppress(ReglaIncumplida), t.uow.savepoint():
            cuenta.depositar(100)
            repositorio.guardar(Cuenta.abrir(dentro))
            with suppress(DBAPIError), t.uow.savepoint():
                t.ambito.get(Session).execute(text("SELECT * FROM no_existe"))
            cuenta.depositar(-1)
        assert cuenta.saldo == 0
        with t.uow.savepoint():
            cuenta.depositar(7)

    bus.en_transaccion(efecto)
    assert (bus.ejecutar(Saldo(id=antes)), cuantas_cuentas(bus)) == (7, 1)
    assert [fila.cabeceras["type"] for fila in filas_outbox(bus)] == ["CuentaAbierta", "DineroDepositado"]


@EN_AMBAS
@pytest.mark.capacidad("A06")
def test_lo_que_se_deshace_no_deja_estado_ni_eventos_ni_agregados(bus: Sistema) -> None:
    with bus.transaccion() as t:
        t.ambito.get(Cuentas).guardar(Cuenta.abrir(nuevo_id()))
        t.uow.rollback()
        assert t.uow.extraer_eventos() == []
        t.confirmar()
    assert (cuantas_cuentas(bus), filas_outbox(bus)) == (0, [])


# --- sólo lectura -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Insertar(Comando[None]):
    pass


notas = Table("notas", MetaData(), Column("id", Uuid, primary_key=True), Column("n", Integer), *columnas_auditoria())


def insertar(comando: Insertar, sesion: Session) -> None:
    sesion.execute(insert(notas).values(id=nuevo_id(), n=1))


@EN_AMBAS
def test_un_sistema_de_solo_lectura_lee_y_no_escribe_ni_por_debajo(base: str, tmp_path: Path) -> None:
    modulo = Modulo(nombre="notas", comandos={Insertar: insertar})
    escritor = armar(tmp_path, modulo, base=notas.metadata)
    id = nuevo_id()
    escritor.ejecutar(Abrir(id=id))

    lector = bootstrap([BANCO, modulo], base_datos=base, solo_lectura=True)
    assert lector.ejecutar(Saldo(id=id)) == 0
    with pytest.raises(SoloLectura, match="sólo lectura"):
        lector.ejecutar(Depositar(id=id, importe=1))
    with pytest.raises(SoloLectura, match="la base no dejó escribir"):
        lector.ejecutar(Insertar())
    with pytest.raises(SoloLectura, match="la base no dejó escribir"):
        lector.en_transaccion(lambda t: t.ambito.get(Session).execute(text("DELETE FROM cuentas")))
    assert lector.ejecutar(Saldo(id=id)) == 0

    escritor.ejecutar(Insertar())  # la misma base, por otro sistema, se sigue escribiendo
    lector.cerrar()
    escritor.cerrar()


@EN_AMBAS
def test_de_solo_lectura_no_se_migra_y_una_base_sin_migrar_se_rechaza(base: str) -> None:
    with pytest.raises(BaseSinMigrar, match="por migrar"):
        bootstrap(base_datos=base, solo_lectura=True)
    bootstrap(base_datos=base).cerrar()
    bootstrap(base_datos=base, solo_lectura=True).cerrar()


# --- auditoría ----------------------------------------------------------------------------------------------------


class Base(DeclarativeBase):
    pass


class Ficha(Auditoria, Base):
    __tablename__ = "fichas"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    n: Mapped[int]


@EN_AMBAS
@pytest.mark.parametrize("tabla", [notas, Ficha.__table__], ids=["tabla", "clase"])
def test_cada_fila_dice_quien_y_cuando_la_creo_y_la_cambio(base: str, tabla: Table) -> None:
    bus = bootstrap(base_datos=base, base=tabla.metadata, usuario="ana")
    desde, id = ahora(), nuevo_id()

    def crear(t: Any) -> None:
        if tabla is notas:
            t.ambito.get(Session).execute(insert(notas).values(id=id, n=1))
        else:
            t.ambito.get(Session).add(Ficha(id=id, n=1))

    def cambiar(t: Any) -> None:
        if tabla is notas:
            t.ambito.get(Session).execute(update(notas).values(n=2))
        else:
            t.ambito.get(Session).get_one(Ficha, id).n = 2

    bus.en_transaccion(crear)
    creada = bus.leer(lambda a: a.get(Session).execute(select(tabla)).one())
    with en_nombre_de(usuario="eva"):
        bus.en_transaccion(cambiar)
    cambiada = bus.leer(lambda a: a.get(Session).execute(select(tabla)).one())
    bus.cerrar()

    assert (creada.creado_por, creada.actualizado_por) == ("ana", "ana")
    assert desde <= creada.creado_en <= ahora()
    assert creada.creado_en.tzinfo is not None
    assert (cambiada.n, cambiada.creado_por, cambiada.actualizado_por) == (2, "ana", "eva")
    assert cambiada.creado_en == creada.creado_en
    assert cambiada.actualizado_en > creada.actualizado_en
    assert cambiada.actualizado_en.astimezone(UTC) <= datetime.now(UTC)
