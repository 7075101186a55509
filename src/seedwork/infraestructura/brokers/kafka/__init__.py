"""Kafka: un grupo de consumidores por suscripción, y en los metadatos de cada posición lo que a Kafka le falta."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.brokers.kafka.configuracion import de_la_url

if TYPE_CHECKING:
    from seedwork.infraestructura.brokers.kafka.broker import BrokerKafka


def conectar(url: str) -> BrokerKafka:
    """`kafka://host:puerto[,host:puerto...][?particiones=4&replicas=1]`; lo que lleve un punto va a librdkafka."""
    configuracion = de_la_url(url)
    try:
        from seedwork.infraestructura.brokers.kafka.broker import BrokerKafka
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "confluent_kafka":
            raise
        raise ErrorDeArranque(
            "Para kafka:// falta el cliente confluent-kafka: instale el extra con"
            " `pip install aeroalpes-seedwork[kafka]`"
        ) from error
    return BrokerKafka(configuracion)


__all__ = ["conectar"]
