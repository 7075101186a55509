"""De la URL a lo que necesita el cliente."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from seedwork.infraestructura.brokers import URLBrokerInvalida, sin_clave

PUERTO = 9092
_SERVIDOR = re.compile(r"(\[[0-9a-fA-F:]+\]|[\w.-]+)(:\d{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Configuracion:
    """Dónde está Kafka, cómo se crean los tópicos y qué más se le dice al cliente."""

    servidores: str
    particiones: int = 4
    replicas: int = -1  # las que diga el broker
    cliente: dict[str, str] = field(default_factory=dict)


def de_la_url(url: str) -> Configuracion:
    """Lanza `URLBrokerInvalida` con una frase que nombra lo que no se entiende."""
    partes = urlsplit(url)
    credenciales, _, lugar = partes.netloc.rpartition("@")
    servidores = lugar.split(",")
    if not lugar or partes.path not in ("", "/") or partes.fragment or not all(map(_SERVIDOR.fullmatch, servidores)):
        raise URLBrokerInvalida(f"{sin_clave(url)!r} no es un broker Kafka: use kafka://host:puerto")
    cliente = _autenticacion(credenciales)
    numeros = {"particiones": 4, "replicas": -1}
    for nombre, valor in parse_qsl(partes.query, keep_blank_values=True):
        if "." in nombre:
            cliente[nombre] = valor
        elif nombre in numeros and re.fullmatch("[1-9][0-9]{0,4}", valor):
            numeros[nombre] = int(valor)
        else:
            raise URLBrokerInvalida(
                f"{nombre}={valor!r} no vale en {sin_clave(url)!r}: se admiten particiones y replicas (números"
                " positivos) y las opciones de librdkafka, que llevan un punto"
            )
    con_puerto = [s if _SERVIDOR.fullmatch(s)[2] else f"{s}:{PUERTO}" for s in servidores]  # type: ignore[index]
    return Configuracion(",".join(con_puerto), **numeros, cliente=cliente)


def _autenticacion(credenciales: str) -> dict[str, str]:
    if not credenciales:
        return {}
    usuario, _, clave = credenciales.partition(":")
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": unquote(usuario),
        "sasl.password": unquote(clave),
    }
