"""Un contexto pequeño de verdad, con agregado, tabla, repositorio y mensajes, sobre el que se prueba seedwork."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self
from uuid import UUID

from sqlalchemy import JSON, Column, Integer, MetaData, Row, Table, Uuid, func, select
from sqlalchemy.orm import Session

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Despachador
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.queries import Query
from seedwork.dominio.entidades import AgregacionRaiz
from seedwork.dominio.eventos import EventoDominio
from seedwork.dominio.excepciones import ReglaIncumplida
from seedwork.infraestructura.repositorios import RepositorioSQLAlchemy
from seedwork.infraestructura.sistema import Sistema, bootstrap
from seedwork.infraestructura.tablas import outbox


@dataclass(frozen=True, kw_only=True)
class CuentaAbierta(EventoDominio):
    id_cuenta: UUID


@dataclass(frozen=True, kw_only=True)
class DineroDepositado(EventoDominio):
    id_cuenta: UUID
    importe: int


@dataclass(eq=False, kw_only=True)
class Cuenta(AgregacionRaiz):
    saldo: int = 0
    movimientos: list[int] = field(default_factory=list)

    @classmethod
    def abrir(cls, id: UUID) -> Self:
        cuenta = cls(id=id)
        cuenta.registrar(CuentaAbierta(id_cuenta=id))
        return cuenta

    def depositar(self, importe: int) -> None:
        if importe <= 0:
            raise ReglaIncumplida("Un depósito es de más de cero")
        self.saldo += importe
        self.movimientos.append(importe)
        self.registrar(DineroDepositado(id_cuenta=self.id, importe=importe))


class Cuentas(Protocol):
    def obtener(self, id: UUID) -> Cuenta: ...

    def guardar(self, agregado: Cuenta) -> None: ...


BASE, BROKER, TOPICO = "BASE_DEL_BANCO", "BROKER_DEL_BANCO", "TOPICO_DEL_BANCO"  # las ven también sus procesos

metadatos = MetaData()
cuentas = Table(
    "cuentas",
    metadatos,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("saldo", Integer, nullable=False),
    Column("movimientos", JSON, nullable=False),
)


class MapeadorCuenta:
    def a_fila(self, agregado: Cuenta) -> Mapping[str, Any]:
        return {"saldo": agregado.saldo, "movimientos": agregado.movimientos}

    def a_agregado(self, fila: Row[Any]) -> Cuenta:
        return Cuenta(id=fila.id, saldo=fila.saldo, movimientos=list(fila.movimientos))


class CuentasSQLAlchemy(RepositorioSQLAlchemy[Cuenta]):
    tipo = Cuenta
    tabla = cuentas
    mapeador = MapeadorCuenta()


@dataclass(frozen=True, kw_only=True)
class Abrir(Comando[None]):
    id: UUID


def abrir(comando: Abrir, repositorio: Cuentas) -> None:
    repositorio.guardar(Cuenta.abrir(comando.id))


@dataclass(frozen=True, kw_only=True)
class Depositar(Comando[int]):
    id: UUID
    importe: int


def depositar(comando: Depositar, repositorio: Cuentas) -> int:
    cuenta = repositorio.obtener(comando.id)
    cuenta.depositar(comando.importe)
    repositorio.guardar(cuenta)
    return cuenta.saldo


@dataclass(frozen=True, kw_only=True)
class Saldo(Query[int]):
    id: UUID


def saldo(query: Saldo, sesion: Session) -> int:
    return sesion.execute(select(cuentas.c.saldo).where(cuentas.c.id == query.id)).scalar_one()


def publicar(evento: CuentaAbierta | DineroDepositado, despachador: Despachador) -> None:
    despachador.publicar(
        {"importe": getattr(evento, "importe", 0)},
        topico=os.environ.get(TOPICO, "cuentas"),
        clave=str(evento.id_cuenta),
        id=str(evento.id),
        tipo=type(evento).__name__,
    )


BANCO = Modulo(
    nombre="banco",
    comandos={Abrir: abrir, Depositar: depositar},
    queries={Saldo: saldo},
    eventos={CuentaAbierta: [publicar], DineroDepositado: [publicar]},
    puertos={Cuentas: CuentasSQLAlchemy},
)


def armar(carpeta: Path, *modulos: Modulo, **opciones: Any) -> Sistema:
    """Un bus del banco sobre la base del entorno o `carpeta/banco.db`, con su tabla creada."""
    base = os.environ.get(BASE) or f"sqlite:///{carpeta}/banco.db"
    bus = bootstrap([BANCO, *modulos], base_datos=base, servicio="banco", **opciones)
    assert bus.motor is not None
    metadatos.create_all(bus.motor)
    return bus


def filas_outbox(bus: Sistema) -> list[Any]:
    assert bus.motor is not None
    with bus.motor.connect() as conexion:
        return list(conexion.execute(select(outbox).order_by(outbox.c.secuencia)))


def cuantas_cuentas(bus: Sistema) -> int:
    assert bus.motor is not None
    with bus.motor.connect() as conexion:
        return conexion.execute(select(func.count()).select_from(cuentas)).scalar_one()
