"""Los brokers sobre los que corre el contrato: añadir uno es añadir aquí su banco."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.contratos.banco import Banco
from tests.contratos.banco_kafka import kafka
from tests.contratos.banco_pulsar import pulsar
from tests.contratos.banco_rabbitmq import rabbitmq
from tests.contratos.banco_redis import redis

from seedwork.infraestructura.brokers.embebido.almacen import VIDA_S
from seedwork.infraestructura.brokers.embebido.broker import TAMANO_MAXIMO


def _archivo(carpeta: Path) -> Banco:
    return Banco(f"embebido:///{carpeta}/broker.db", vida_s=VIDA_S + 2, tamano_maximo=TAMANO_MAXIMO)


def _memoria(_carpeta: Path) -> Banco:
    return Banco("embebido://", vida_s=VIDA_S + 2, tamano_maximo=TAMANO_MAXIMO, de_un_proceso=True)


COMPARTIDOS = {"archivo": _archivo, "kafka": kafka, "pulsar": pulsar, "rabbitmq": rabbitmq, "redis": redis}
TODOS = {**COMPARTIDOS, "memoria": _memoria}
_DEMUESTRAN = {"kafka": pytest.mark.capacidad("C06"), "rabbitmq": pytest.mark.capacidad("C06")}


def _parametros(nombres: Iterable[str]) -> list[Any]:
    return [pytest.param(nombre, marks=_DEMUESTRAN.get(nombre, ())) for nombre in nombres]


@pytest.fixture(params=_parametros(TODOS))
async def banco(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Banco]:
    banco = TODOS[request.param](tmp_path)
    yield banco
    await banco.cerrar()


@pytest.fixture(params=_parametros(COMPARTIDOS))
async def compartido(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Banco]:
    """Un broker que pueden usar varios procesos."""
    banco = COMPARTIDOS[request.param](tmp_path)
    yield banco
    await banco.cerrar()
