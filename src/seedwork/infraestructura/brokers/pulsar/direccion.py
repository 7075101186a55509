"""Dónde está cada cosa: la URL, los tópicos del namespace y los internos."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlsplit

from seedwork.infraestructura.brokers import URLBrokerInvalida, sin_clave

PUERTO, PUERTO_ADMIN = 6650, 8080
_PARTICION = re.compile(r"-partition-\d+$")
_FORMA = "pulsar://host[:puerto][/tenant/namespace][?admin=http://host:puerto]"


@dataclass(frozen=True, slots=True)
class Direccion:
    """Un namespace de un Pulsar. `admin` es la URL de administración, que puede no atender."""

    servicio: str
    admin: str
    espacio: str

    def topico(self, nombre: str) -> str:
        return f"persistent://{self.espacio}/{nombre}"

    def interno(self, suscripcion: str, uso: str) -> str:
        # `~` no cabe en un tópico de la aplicación: ningún patrón alcanza a los internos.
        return self.topico(f"seedwork~{quote(suscripcion, safe='')}~{uso}")

    @property
    def letras_muertas(self) -> str:
        return self.topico("seedwork~letras-muertas")

    def nombre(self, topico: str) -> str:
        """El nombre con puntos de un tópico de Pulsar; lo de una partición es de su tópico."""
        return _PARTICION.sub("", topico.rpartition("/")[2])


def es_patron(topico: str) -> bool:
    return "*" in topico or "#" in topico


def leer_url(url: str) -> Direccion:
    """Lanza `URLBrokerInvalida` con una frase que la nombra."""
    try:
        partes = urlsplit(url)
        puerto = partes.port or PUERTO
        opciones = dict(parse_qsl(partes.query, keep_blank_values=True, strict_parsing=bool(partes.query)))
    except ValueError as error:
        raise URLBrokerInvalida(f"{sin_clave(url)!r} no es un broker de Pulsar: use {_FORMA}") from error
    espacio = partes.path.strip("/") or "public/default"
    admin = opciones.pop("admin", f"http://{partes.hostname}:{PUERTO_ADMIN}").rstrip("/")
    valida = partes.hostname and partes.username is None and not opciones and not partes.fragment
    if not valida or not re.fullmatch(r"[\w=:.-]+/[\w=:.-]+", espacio, re.ASCII) or not admin.startswith("http"):
        raise URLBrokerInvalida(f"{sin_clave(url)!r} no es un broker de Pulsar: use {_FORMA}")
    return Direccion(f"{partes.scheme}://{partes.hostname}:{puerto}", admin, espacio)
