"""El banco de RabbitMQ: el servidor de `make servidores`, y un vhost de cada corrida que se borra al terminar."""

from __future__ import annotations

import atexit
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
from tests.contratos.banco import Banco
from tests.contratos.exigidos import urls_de

from seedwork.infraestructura.brokers.rabbitmq.formato import TAMANO_MAXIMO

VARIABLE, CONSOLA = "TEST_RABBITMQ_URL", "TEST_RABBITMQ_ADMIN_URL"
VIDA_S = 12.0


def url_de_rabbitmq() -> str:
    """La URL de un vhost del RabbitMQ de pruebas. Sin él la prueba se salta y lo dice, o falla si se exige."""
    urls_de("rabbitmq", VARIABLE, CONSOLA)
    return _el_de_la_corrida()


@cache
def _el_de_la_corrida() -> str:
    pila = ExitStack()
    atexit.register(pila.close)
    return pila.enter_context(vhost_nuevo())


@contextmanager
def vhost_nuevo() -> Iterator[str]:
    """La URL de un vhost vacío, que se borra al salir."""
    url, _ = urls_de("rabbitmq", VARIABLE, CONSOLA)
    vhost, usuario = f"pruebas-{uuid.uuid4().hex[:12]}", urlsplit(url).username or "guest"
    with consola() as http:
        http.put(f"vhosts/{vhost}").raise_for_status()
        permisos = {"configure": ".*", "write": ".*", "read": ".*"}
        http.put(f"permissions/{vhost}/{usuario}", json=permisos).raise_for_status()
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{vhost}"))
    finally:
        with consola() as http:
            http.delete(f"vhosts/{vhost}").raise_for_status()


@contextmanager
def consola() -> Iterator[httpx.Client]:
    """El API de administración del servidor."""
    _, url = urls_de("rabbitmq", VARIABLE, CONSOLA)
    partes = urlsplit(url)
    raiz = urlunsplit(partes._replace(netloc=partes.netloc.rpartition("@")[2])).rstrip("/")
    acceso = (partes.username or "guest", partes.password or "guest")
    with httpx.Client(base_url=f"{raiz}/api/", auth=acceso, timeout=60, trust_env=False) as http:
        yield http


def rabbitmq(_carpeta: Path) -> Banco:
    banco = Banco(url_de_rabbitmq(), vida_s=VIDA_S, tamano_maximo=TAMANO_MAXIMO)
    banco.url += f"?exchange={banco.prefijo}"
    return banco
