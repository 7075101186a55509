"""Un espacio de nombres nuevo en el Pulsar de las pruebas, y un cliente cualquiera que lo mira."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pulsar
import pytest
from tests.contratos.banco import Banco
from tests.contratos.banco_pulsar import pulsar as banco_pulsar

from seedwork.infraestructura.brokers.pulsar.direccion import Direccion, leer_url


@pytest.fixture
async def banco(tmp_path: Path) -> AsyncIterator[Banco]:
    banco = banco_pulsar(tmp_path)
    yield banco
    await banco.cerrar()


@pytest.fixture
def direccion(banco: Banco) -> Direccion:
    return leer_url(banco.url)


@pytest.fixture
def ajeno(direccion: Direccion) -> Iterator[pulsar.Client]:
    """Un cliente de Pulsar que no es el nuestro."""
    cliente = pulsar.Client(direccion.servicio, logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error))
    yield cliente
    cliente.close()
