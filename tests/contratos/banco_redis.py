"""El banco de Redis: el servidor de `make servidores`, y un prefijo de claves que sólo usan las pruebas."""

from __future__ import annotations

from pathlib import Path

from tests.contratos.banco import Banco
from tests.contratos.exigidos import urls_de

from seedwork.infraestructura.brokers.redis.broker import TAMANO_MAXIMO
from seedwork.infraestructura.brokers.redis.suscripcion import VIDA_S

VARIABLE = "TEST_REDIS_URL"


def url_de_redis() -> str:
    """La URL del Redis de pruebas. Sin él la prueba se salta y lo dice, o falla si se exige."""
    (url,) = urls_de("redis", VARIABLE)
    return url


def redis(_carpeta: Path) -> Banco:
    return Banco(f"{url_de_redis()}?prefijo=contrato", vida_s=VIDA_S + 2, tamano_maximo=TAMANO_MAXIMO)
