"""Lo que dice `SMTP_URL`: a qué servidor se entregan los correos y cómo."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Self
from urllib.parse import unquote, urlsplit

_PUERTOS = {"smtp": 25, "smtps": 465}
_PORCENTAJE_SUELTO = re.compile("%(?![0-9A-Fa-f]{2})")
_NOMBRE_DE_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")


class UrlSmtpInvalida(ValueError):
    """La URL no dice a qué servidor entregar. Su frase nombra el problema y nunca repite la URL, que lleva la clave."""


@dataclass(frozen=True, kw_only=True)
class ServidorSmtp:
    """Un servidor de correo. `cifrado_desde_el_inicio` es `smtps://`; si no, se usa STARTTLS cuando se ofrece.

    `local` dice que está en esta misma máquina: no hay red que proteger, así que ni se comprueba su certificado ni
    hace falta cifrado para darle la clave. A uno que no es local nunca se le manda la clave sin cifrar.
    """

    host: str
    puerto: int
    cifrado_desde_el_inicio: bool = False
    local: bool = False
    usuario: str | None = None
    clave: str | None = field(default=None, repr=False)

    @classmethod
    def desde_url(cls, url: str) -> Self:
        """Lee `smtp://[usuario:clave@]host[:puerto]` o `smtps://...`, con usuario y clave codificados con %.

        El puerto es 25 para `smtp` y 465 para `smtps` si no se dice. Lanza `UrlSmtpInvalida`.
        """
        esquema, credenciales, host, puerto = _partir(url.strip())
        if esquema not in _PUERTOS:
            raise UrlSmtpInvalida("tiene que empezar por smtp:// o smtps://")
        if not _es_host(host):
            raise UrlSmtpInvalida("le falta el host, o no es un nombre ni una dirección IP")
        usuario, clave = _credenciales(credenciales)
        return cls(
            host=host,
            puerto=_PUERTOS[esquema] if puerto is None else puerto,
            cifrado_desde_el_inicio=esquema == "smtps",
            local=_es_local(host),
            usuario=usuario,
            clave=clave,
        )


def _partir(url: str) -> tuple[str, str, str, int | None]:
    problema = "no se entiende: si el usuario o la clave llevan / ? # @ : [ ] o %, van codificados con %"
    if not url.isprintable() or " " in url:
        raise UrlSmtpInvalida("lleva espacios o caracteres de control")
    try:
        partes = urlsplit(url)
        credenciales, _, _ = partes.netloc.rpartition("@")
        host, puerto = partes.hostname or "", partes.port
    except ValueError:  # su frase repite trozos de la URL, quizá de la clave
        partes = None
    if partes is None or partes.path not in ("", "/") or partes.query or partes.fragment or puerto == 0:
        raise UrlSmtpInvalida(problema)
    return partes.scheme, credenciales, host, puerto


def _credenciales(texto: str) -> tuple[str | None, str | None]:
    if not texto:
        return None, None
    if _PORCENTAJE_SUELTO.search(texto):
        raise UrlSmtpInvalida("lleva un % suelto en el usuario o la clave: se escribe %25")
    usuario, _, clave = (unquote(parte, errors="replace") for parte in texto.partition(":"))
    if not usuario or not clave:
        raise UrlSmtpInvalida("lleva usuario sin clave o clave sin usuario")
    if not (usuario + clave).isprintable() or "\ufffd" in usuario + clave:
        raise UrlSmtpInvalida("lleva en el usuario o la clave caracteres de control o que no son UTF-8")
    return usuario, clave


def _es_host(host: str) -> bool:
    if ":" in host:
        return _ip(host)
    return _NOMBRE_DE_HOST.fullmatch(host) is not None and all(0 < len(e) <= 63 for e in host.rstrip(".").split("."))


def _ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _es_local(host: str) -> bool:
    return host == "localhost" or (_ip(host) and ip_address(host).is_loopback)
