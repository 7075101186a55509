"""El banco de Pulsar: el servidor de `make servidores`."""

from __future__ import annotations

from pathlib import Path

from tests.contratos.banco import Banco
from tests.contratos.exigidos import urls_de

from seedwork.infraestructura.brokers.pulsar.broker import TAMANO_MAXIMO

VARIABLE, VARIABLE_ADMIN = "TEST_PULSAR_URL", "TEST_PULSAR_ADMIN_URL"


def url_de_pulsar() -> str:
    """La URL del Pulsar de pruebas. Sin él la prueba se salta y lo dice, o falla si se exige."""
    url, admin = urls_de("pulsar", VARIABLE, VARIABLE_ADMIN)
    return f"{url}?admin={admin}"


def pulsar(_carpeta: Path) -> Banco:
    return Banco(url_de_pulsar(), vida_s=15, tamano_maximo=TAMANO_MAXIMO)
