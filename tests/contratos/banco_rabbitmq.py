"""El banco de RabbitMQ: el servidor de `make servidores`, y un vhost de cada corrida que se borra al terminar."""

from __future__ import annotations

import atexit
import uuid
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
    return _en_vhost_propio(*urls_de("rabbitmq", VARIABLE, CONSOLA))


@cache
def _en_vhost_propio(url: str, consola: str) -> str:
    vhost = f"pruebas-{uuid.uuid4().hex[:12]}"
    partes = urlsplit(consola)
    raiz = urlunsplit(partes._replace(netloc=partes.netloc.rpartition("@")[2])).rstrip("/")
    acceso = (partes.username or "guest", partes.password or "guest")

    def pedir(metodo: str, ruta: str, **datos: str) -> None:
        with httpx.Client(auth=acceso, timeout=60, trust_env=False) as http:
            http.request(metodo, f"{raiz}/api/{ruta}", json=datos).raise_for_status()

    pedir("PUT", f"vhosts/{vhost}")
    usuario = urlsplit(url).username or "guest"
    pedir("PUT", f"permissions/{vhost}/{usuario}", configure=".*", write=".*", read=".*")
    atexit.register(pedir, "DELETE", f"vhosts/{vhost}")
    return urlunsplit(urlsplit(url)._replace(path=f"/{vhost}"))


def rabbitmq(_carpeta: Path) -> Banco:
    banco = Banco(url_de_rabbitmq(), vida_s=VIDA_S, tamano_maximo=TAMANO_MAXIMO)
    banco.url += f"?exchange={banco.prefijo}"
    return banco
