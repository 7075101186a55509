"""El banco con Celery, para quien pide y para el worker: `celery -A tests.integracion.seedwork.celery_banco:app`.

El entorno dice sobre qué: `BASE_DEL_BANCO`, `CELERY_URL`, `CELERY_COLA` y `CELERY_CARPETA`.
"""

from __future__ import annotations

import os
import signal
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from celery import Celery
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select
from sqlalchemy.orm import Session
from tests.integracion.seedwork.banco import BANCO, BASE, metadatos

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.diferidas import EjecucionesDiferidas
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.queries import Query
from seedwork.infraestructura.auditoria import columnas_auditoria
from seedwork.infraestructura.sistema import Sistema, bootstrap
from seedwork.infraestructura.tareas_celery import configurar_celery_app

inquilino: ContextVar[str | None] = ContextVar("inquilino", default=None)
hechos = Table(
    "hechos",
    MetaData(),
    Column("n", Integer, primary_key=True),
    Column("que", String(100)),
    Column("proceso", Integer),
    *columnas_auditoria(),
)
metadatos_todos = MetaData()
for tabla in (*metadatos.tables.values(), hechos):
    tabla.to_metadata(metadatos_todos)


@dataclass(frozen=True)
class Linea:
    concepto: str
    importe: Decimal


@dataclass(frozen=True, kw_only=True)
class Hacer(Comando[str]):
    id: UUID
    lineas: tuple[Linea, ...]


def hacer(comando: Hacer, sesion: Session) -> str:
    que = " ".join(f"{linea.concepto}={linea.importe}" for linea in comando.lineas)
    sesion.execute(insert(hechos).values(que=que, proceso=os.getpid()))
    return que


@dataclass(frozen=True, kw_only=True)
class MorirLaPrimeraVez(Comando[None]):
    testigo: str


def morir_la_primera_vez(comando: MorirLaPrimeraVez, sesion: Session) -> None:
    sesion.execute(insert(hechos).values(que="renacido", proceso=os.getpid()))
    if not Path(comando.testigo).exists():
        Path(comando.testigo).touch()
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class MorirSiempre(Comando[None]):
    testigo: str


def morir_siempre(comando: MorirSiempre, sesion: Session) -> None:
    with Path(comando.testigo).open("a") as testigo:
        testigo.write("x")
    if not Path(f"{comando.testigo}.arreglado").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    sesion.execute(insert(hechos).values(que="arreglado", proceso=os.getpid()))


@dataclass(frozen=True, kw_only=True)
class PedirYFallar(Comando[None]):
    pedido: Hacer


def pedir_y_fallar(comando: PedirYFallar, diferidas: EjecucionesDiferidas) -> None:
    diferidas.ejecutar_despues(comando.pedido)
    raise ZeroDivisionError


@dataclass(frozen=True, kw_only=True)
class Hechos(Query[list[Any]]):
    pass


def listar(query: Hechos, sesion: Session) -> list[Any]:
    return list(sesion.execute(select(hechos).order_by(hechos.c.n)).all())


HECHOS = Modulo(
    nombre="hechos",
    comandos={
        Hacer: hacer,
        MorirLaPrimeraVez: morir_la_primera_vez,
        MorirSiempre: morir_siempre,
        PedirYFallar: pedir_y_fallar,
    },
    queries={Hechos: listar},
)


def armar_con_celery() -> tuple[Sistema, Celery]:
    entorno = os.environ
    por_inquilino = {"schema": inquilino.get, "crear_schema": True} if entorno[BASE].startswith("postgresql") else {}
    bus = bootstrap(
        [BANCO, HECHOS],
        base_datos=entorno[BASE],
        broker=f"embebido:///{entorno['CELERY_CARPETA']}/broker.db",
        servicio="banco",
        base=metadatos_todos,
        usuario="sistema",
        **por_inquilino,  # type: ignore[arg-type]
    )
    celery = Celery("banco", broker=entorno["CELERY_URL"])
    celery.conf.update(
        task_default_queue=entorno["CELERY_COLA"],
        broker_connection_retry_on_startup=True,
        worker_prefetch_multiplier=1,
    )
    if entorno["CELERY_URL"].startswith("redis"):
        celery.conf.broker_transport_options = {"global_keyprefix": f"{entorno['CELERY_COLA']}:"}
    configurar_celery_app(celery, bus)
    return bus, celery


def __getattr__(nombre: str) -> Any:
    if nombre == "app":  # sólo el worker la pide
        return armar_con_celery()[1]
    raise AttributeError(nombre)
