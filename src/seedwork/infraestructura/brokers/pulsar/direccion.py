"""Dónde está cada cosa: la URL, los tópicos del namespace y los internos."""

from __future__ import annotations

import re
import ssl
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from seedwork.infraestructura.brokers import URLBrokerInvalida, sin_clave

_PUERTOS = {"pulsar": 6650, "pulsar+ssl": 6651}
_ADMIN = {"pulsar": "http://{}:8080", "pulsar+ssl": "https://{}:8443"}
_PARTICION = re.compile(r"-partition-(\d+)$")
_PARTICIONES = 4
_FORMA = (
    "pulsar://[:token@|usuario:clave@]host[:puerto][/tenant/namespace][?admin=http://host:puerto][&particiones=4],"
    " o pulsar+ssl:// con [ca=archivo.pem]"
)


@dataclass(frozen=True, slots=True)
class Direccion:
    """Un namespace de un Pulsar. `admin` es la URL de administración, que puede no atender.

    `particiones` son las de los tópicos que se creen; `acceso`, el método de autenticación (`token` o `basic`) y su
    secreto; `ca`, el archivo de las autoridades de TLS.
    """

    esquema: str
    host: str
    puerto: int
    admin: str
    espacio: str
    particiones: int = _PARTICIONES
    acceso: tuple[str, str] | None = field(default=None, repr=False)
    ca: str | None = None

    @property
    def servicio(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.esquema}://{host}:{self.puerto}"

    @property
    def cifrada(self) -> bool:
        return self.esquema == "pulsar+ssl"

    def tls(self) -> ssl.SSLContext | None:
        """Con qué se cifra; None si no se cifra. Lanza `OSError` si no se puede leer `ca`."""
        return ssl.create_default_context(cafile=self.ca) if self.cifrada else None

    def topico(self, nombre: str) -> str:
        return f"persistent://{self.espacio}/{nombre}"

    def interno(self, suscripcion: str, uso: str) -> str:
        # `~` no cabe en un tópico de la aplicación: ningún patrón alcanza a los internos.
        return self.topico(f"seedwork~{quote(suscripcion, safe='')}~{uso}")

    @property
    def letras_muertas(self) -> str:
        return self.topico("seedwork~letras-muertas")


@lru_cache(maxsize=4096)
def nombre_de(topico: str) -> str:
    """El nombre con puntos de un tópico de Pulsar; lo de una partición es de su tópico."""
    return _PARTICION.sub("", topico.rpartition("/")[2])


def carril_de(topico: str, cuantos: int) -> int:
    """El de una partición es su número; el de un tópico que no las tiene, siempre el mismo."""
    particion = _PARTICION.search(topico)
    return (int(particion[1]) if particion else zlib.crc32(topico.encode())) % cuantos


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
    particiones = opciones.pop("particiones", str(_PARTICIONES))
    usuario, clave = unquote(partes.username or ""), unquote(partes.password or "")
    valida = host and not opciones and not partes.fragment and bool(clave) == ("@" in partes.netloc) and ca != ""
    if re.fullmatch(r"[1-9]\d{0,3}", particiones, re.ASCII) is None:
        raise invalida
    if not valida or not re.fullmatch(r"[\w=:.-]+/[\w=:.-]+", espacio, re.ASCII) or not admin.startswith("http"):
        raise invalida
    acceso = None
    if clave:
        acceso = ("basic", f"{usuario}:{clave}") if usuario else ("token", clave)
    return Direccion(partes.scheme, host, puerto, admin, espacio, int(particiones), acceso, ca)
