"""El banco de Kafka: el servidor de `make servidores`."""

from __future__ import annotations

from pathlib import Path

from tests.contratos.banco import Banco
from tests.contratos.exigidos import urls_de

from seedwork.infraestructura.brokers.kafka.cliente import TAMANO_MAXIMO
from seedwork.infraestructura.brokers.kafka.consumo import SESION_S

VARIABLE = "TEST_KAFKA_URL"


def url_de_kafka() -> str:
    """La URL del Kafka de pruebas. Sin él la prueba se salta y lo dice, o falla si se exige."""
    (url,) = urls_de("kafka", VARIABLE)
    return url


def kafka(_carpeta: Path) -> Banco:
    return Banco(url_de_kafka(), vida_s=SESION_S + 4, tamano_maximo=TAMANO_MAXIMO)
