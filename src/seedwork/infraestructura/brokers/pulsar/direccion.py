"""Dónde está cada cosa: la URL, los tópicos del namespace y los internos."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from seedwork.infraestructura.brokers import URLBrokerInvalida, sin_clave

_PUERTOS = {"pulsar": 6650, "pulsar+ssl": 6651}
_ADMIN = {"pulsar": "http://{}:8080", "pulsar+ssl": "https://{}:8443"}
_PARTICION = re.compile(r"-partition-\d+$")
_FORMA = (
    "pulsar://[:token@|usuario:clave@]host[:puerto][/tenant/namespace][?admin=http://host:puerto],"
    " o pulsar+ssl:// con [ca=archivo.pem]"
)


@dataclass(frozen=True, slots=True)
class Direccion:
    """Un namespace de un Pulsar. `admin` es la URL de administración, que puede no atender.

    `acceso` es el método de autenticación (`token` o `basic`) y su secreto; `ca`, el archivo de las autoridades de TLS.
    """

    esquema: str
    host: str
    puerto: int
    admin: str
    espacio: str
    acceso: tuple[str, str] | None = field(default=None, repr=False)
    ca: str | None = None

    @property
    def servicio(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.esquema}://{host}:{self.puerto}"

    def tls(self) -> ssl.SSLContext | None:
        """Con qué se cifra; None si no se cifra. Lanza `OSError` si no se puede leer `ca`."""
        return ssl.create_default_context(cafile=self.ca) if self.esquema == "pulsar+ssl" else None

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
        return _nombre(topico)


@lru_cache(maxsize=4096)
def _nombre(topico: str) -> str:
    return _PARTICION.sub("", topico.rpartition("/")[2])


def es_patron(topico: str) -> bool:
    return "*" in topico or "#" in topico


def leer_url(url: str) -> Direccion:
    """Lanza `URLBrokerInvalida` con una frase que la nombra, sin su secreto."""
    invalida = URLBrokerInvalida(f"{sin_clave(url)!r} no es un broker de Pulsar: use {_FORMA}")
    try:
        partes = urlsplit(url)
        puerto = partes.port or _PUERTOS[partes.scheme]
        opciones = dict(parse_qsl(partes.query, keep_blank_values=True, strict_parsing=bool(partes.query)))
    except ValueError as error:
        raise invalida from error
    espacio = partes.path.strip("/") or "public/default"
    host = partes.hostname or ""
    admin = opciones.pop("admin", _ADMIN[partes.scheme].format(f"[{host}]" if ":" in host else host)).rstrip("/")
    ca = opciones.pop("ca", None) if partes.scheme == "pulsar+ssl" else None
    usuario, clave = unquote(partes.username or ""), unquote(partes.password or "")
    valida = host and not opciones and not partes.fragment and bool(clave) == ("@" in partes.netloc) and ca != ""
    if not valida or not re.fullmatch(r"[\w=:.-]+/[\w=:.-]+", espacio, re.ASCII) or not admin.startswith("http"):
        raise invalida
    acceso = None
    if clave:
        acceso = ("basic", f"{usuario}:{clave}") if usuario else ("token", clave)
    return Direccion(partes.scheme, host, puerto, admin, espacio, acceso, ca)
