"""Qué broker se usa según el entorno, y que ninguna contraseña salga en un mensaje."""

from __future__ import annotations

import pytest

from seedwork import Mensajeria
from seedwork.infraestructura.brokers import sin_clave
from seedwork.infraestructura.configuracion import ConfiguracionAmbigua, url_broker


@pytest.mark.capacidad("M01")
@pytest.mark.parametrize(
    ("entorno", "url"),
    [
        ({}, "por-defecto"),
        ({"BROKER_URL": ""}, "por-defecto"),
        ({"BROKER_HOST": "pulsar"}, "pulsar://pulsar:6650"),
        ({"BROKER_HOST": "h", "PULSAR_ADDRESS": "otro:6651"}, "pulsar://otro:6651"),
        ({"PULSAR_ADDRESS": "pulsar+ssl://h:6651"}, "pulsar+ssl://h:6651"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "a:9092,b:9092"}, "kafka://a:9092,b:9092"),
        ({"RABBITMQ_URL": "amqp://h"}, "amqp://h"),
        ({"REDIS_URL": "redis://h/1"}, "redis://h/1"),
        ({"BROKER_URL": "embebido://", "REDIS_URL": "redis://h", "RABBITMQ_URL": "amqp://h"}, "embebido://"),
    ],
)
def test_manda_broker_url_y_despues_la_variable_de_cada_broker(entorno: dict[str, str], url: str) -> None:
    assert url_broker(entorno, "por-defecto") == url


def test_dos_brokers_distintos_sin_decir_cual_son_un_error_que_nombra_las_dos_variables_sin_sus_claves() -> None:
    entorno = {"RABBITMQ_URL": "amqp://u:secreto@h", "REDIS_URL": "redis://:otro-secreto@h/0"}

    with pytest.raises(ConfiguracionAmbigua, match=r"RABBITMQ_URL.*REDIS_URL.*BROKER_URL") as error:
        url_broker(entorno, "x")
    assert "secreto" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "escrita"),
    [
        ("amqp://u:p@h:5672/v", "amqp://u:***@h:5672/v"),
        ("amqp://u:p@ss/w:rd@h", "amqp://u:***@h"),
        ("redis://:p@h", "redis://:***@h"),
        ("kafka://h:9092,i:9092", "kafka://h:9092,i:9092"),
        ("embebido:///var/broker.db", "embebido:///var/broker.db"),
    ],
)
def test_una_url_se_escribe_sin_su_clave(url: str, escrita: str) -> None:
    assert sin_clave(url) == escrita


@pytest.mark.capacidad("M01")
def test_el_codigo_manda_sobre_el_entorno(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "embebido:///de-entorno.db")

    assert Mensajeria("embebido://").url == "embebido://"
    assert Mensajeria().url == "embebido:///de-entorno.db"
