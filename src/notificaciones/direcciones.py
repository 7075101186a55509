"""Direcciones de correo: cuáles se aceptan y cómo se escribe el nombre que las acompaña.

Una dirección dudosa se rechaza; un nombre raro se neutraliza, porque nadie elige el suyo para un sistema.
"""

import re
from email.headerregistry import Address

from notificaciones.texto import limpiar

MAXIMO_NOMBRE = 100
_MAXIMO_LOCAL_OCTETOS = 64
_MAXIMO_DIRECCION_OCTETOS = 254
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00a0-\U0010ffff]"
_ETIQUETA = r"[A-Za-z0-9\u00a0-\U0010ffff](?:[A-Za-z0-9\-\u00a0-\U0010ffff]*[A-Za-z0-9\u00a0-\U0010ffff])?"
_DIRECCION = re.compile(rf"(?P<local>{_ATEXT}+(?:\.{_ATEXT}+)*)@(?P<dominio>{_ETIQUETA}(?:\.{_ETIQUETA})*)")
_CON_NOMBRE = re.compile(r"(?P<nombre>[^<>]*)<(?P<direccion>[^<>]*)>")
# Los signos con significado en una cabecera de direcciones y el comienzo de una palabra codificada (RFC 2047).
# Ponerlos entre comillas no basta: al plegar un nombre largo, `email` pierde las comillas en varias versiones de
# Python (y el nombre se vuelve otro destinatario), y decodifica `=?...?=` aunque esconda un salto de línea.
_ESPECIALES = re.compile(r'["(),:;<>@\[\]\\]|=(?=\?)')


class DireccionInvalida(ValueError):
    """La dirección no se puede usar como remitente ni como destinatario."""


def validar_direccion(direccion: str) -> str:
    """Devuelve `direccion` si es `local@dominio` sin comillas, sin literales de IP y con largos de RFC 5321.

    Admite letras de cualquier alfabeto (RFC 6531). Lanza `DireccionInvalida`, sin repetir la dirección, si hay
    espacios, caracteres de control o invisibles, signos reservados, palabras codificadas o más de una dirección.
    """
    partes = _DIRECCION.fullmatch(direccion)
    # `isprintable` excluye los espacios de Unicode, los controles, los formatos invisibles y los sustitutos.
    if partes is None or not direccion.isprintable() or "=?" in direccion:
        raise DireccionInvalida("La dirección de correo no tiene la forma local@dominio con caracteres visibles")
    local_octetos = len(partes["local"].encode())
    if local_octetos > _MAXIMO_LOCAL_OCTETOS or len(direccion.encode()) > _MAXIMO_DIRECCION_OCTETOS:
        raise DireccionInvalida(
            f"La dirección de correo pasa de {_MAXIMO_LOCAL_OCTETOS} octetos antes de la arroba "
            f"o de {_MAXIMO_DIRECCION_OCTETOS} en total"
        )
    return direccion


def direccion_con_nombre(direccion: str, nombre: str = "") -> Address:
    """Une una dirección validada y un nombre neutralizado: sin controles ni signos especiales, y de largo acotado.

    Lanza `DireccionInvalida` si la dirección no vale; del nombre nunca se queja.
    """
    visible = " ".join(_ESPECIALES.sub(" ", limpiar(nombre, MAXIMO_NOMBRE)).split())
    local, _, dominio = validar_direccion(direccion).rpartition("@")
    return Address(display_name=visible, username=local, domain=dominio)


def leer_direccion(texto: str) -> Address:
    """Lee `Nombre <local@dominio>` o `local@dominio`. Lanza `DireccionInvalida` con lo que está mal."""
    if not texto.isprintable():
        raise DireccionInvalida("El remitente lleva caracteres de control")
    con_nombre = _CON_NOMBRE.fullmatch(texto.strip())
    if con_nombre is None:
        return direccion_con_nombre(texto.strip())
    return direccion_con_nombre(con_nombre["direccion"].strip(), con_nombre["nombre"])
