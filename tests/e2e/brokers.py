"""Un broker vacío de cada clase: la suite llama siempre igual a sus tópicos y suscripciones."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
from redis import Redis
from tests import servidores
from tests.contratos.banco_kafka import url_de_kafka
from tests.contratos.banco_rabbitmq import vhost_nuevo
from tests.contratos.exigidos import urls_de


@contextmanager
def archivo(carpeta: Path) -> Iterator[str]:
    yield f"embebido:///{carpeta}/broker.db"


@contextmanager
def redis(_carpeta: Path) -> Iterator[str]:
    (url,) = urls_de("redis", "TEST_REDIS_URL")
    prefijo = _nombre()
    yield f"{url}?prefijo={prefijo}"
    with Redis.from_url(url) as cliente:
        for clave in cliente.scan_iter(f"*{prefijo}*", count=1000):
            cliente.delete(clave)


@contextmanager
def rabbitmq(_carpeta: Path) -> Iterator[str]:
    with vhost_nuevo() as url:
        yield url


@contextmanager
def kafka(carpeta: Path) -> Iterator[str]:
    """Un servidor propio: Kafka no reparte sus tópicos en espacios."""
    url_de_kafka()  # sin Kafka instalado se salta, o falla si se exige
    raiz = carpeta / "kafka"
    try:
        yield servidores.arrancar("kafka", raiz)["TEST_KAFKA_URL"]
    finally:
        servidores.parar("kafka", raiz, borrar=True)


@contextmanager
def pulsar(_carpeta: Path) -> Iterator[str]:
    url, admin = urls_de("pulsar", "TEST_PULSAR_URL", "TEST_PULSAR_ADMIN_URL")
    espacio = f"public/{_nombre()}"
    with httpx.Client(base_url=f"{admin}/admin/v2/", timeout=60, trust_env=False) as http:
        http.put(f"namespaces/{espacio}").raise_for_status()
        yield f"{url.rstrip('/')}/{espacio}?admin={admin}"
        for topico in http.get(f"persistent/{espacio}").raise_for_status().json():
            http.delete(topico.replace("://", "/"), params={"force": "true"})
        http.delete(f"namespaces/{espacio}")


BROKERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "archivo": archivo, "redis": redis, "rabbitmq": rabbitmq, "kafka": kafka, "pulsar": pulsar,
}  # fmt: skip


def _nombre() -> str:
    return f"recorrido-{uuid.uuid4().hex[:12]}"
