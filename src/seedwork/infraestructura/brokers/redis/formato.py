"""De un `Mensaje` a los campos de una entrada de Redis Streams, y de vuelta.

`data` es el cuerpo, `key` la clave, `content-type` el tipo del contenido y `ce_<nombre>` cada atributo de CloudEvents.
Una entrada ajena sin `data` da su único campo por cuerpo o, si tiene más, un cuerpo vacío con ellos en las cabeceras.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from seedwork.infraestructura.brokers import Mensaje

CAMPOS_MAXIMO = 1_000  # más cabeceras no caben en una llamada de un guion
_ATRIBUTO = "ce_"
_CUERPO, _CLAVE, _SIN_CLAVE = b"data", b"key", b"nokey"
_PROPIOS = frozenset((_CUERPO, _CLAVE, _SIN_CLAVE))


def a_campos(mensaje: Mensaje) -> list[bytes]:
    """Los campos de la entrada: nombre, valor, nombre, valor..."""
    campos = [_CUERPO, mensaje.cuerpo]
    if mensaje.clave is not None:
        campos = [_CLAVE, mensaje.clave.encode(), _CUERPO, mensaje.cuerpo]
    elif "partitionkey" in mensaje.cabeceras:  # de un mensaje ajeno ese atributo se toma por clave
        campos = [_SIN_CLAVE, b"", _CUERPO, mensaje.cuerpo]
    for nombre, valor in mensaje.cabeceras.items():
        campos.append(_campo(nombre))
        campos.append(valor.encode())
    return campos


def a_mensaje(topico: str, campos: Sequence[bytes]) -> Mensaje:
    """El mensaje de una entrada, propia o ajena."""
    clave, cuerpo, sin_clave = None, None, False
    cabeceras: dict[str, str] = {}
    for i in range(0, len(campos), 2):
        campo, valor = campos[i], campos[i + 1]
        if campo == _CUERPO:
            cuerpo = valor
        elif campo == _CLAVE:
            clave = valor
        elif campo == _SIN_CLAVE:
            sin_clave = True
        else:
            propia, nombre = _cabecera(campo)
            if propia or nombre not in cabeceras:
                cabeceras[nombre] = _texto(valor)
    if clave is None and not sin_clave and "partitionkey" in cabeceras:
        clave = cabeceras["partitionkey"].encode()
    if cuerpo is None:
        cuerpo = b""
        if len(campos) == 2 and campos[0] not in _PROPIOS:
            cuerpo, cabeceras = campos[1], {}
    return Mensaje(topico=topico, cuerpo=cuerpo, clave=_clave(clave), cabeceras=cabeceras)


def leer_lote(numeros: bytes, textos: bytes) -> Iterator[tuple[bytes, int, bool, Mensaje]]:
    """Referencia, intentos, si es sospechosa y mensaje, de cada uno del lote que escribió un guion."""
    largos = list(map(int, numeros.split()))
    i = hasta = 0
    while i < len(largos):
        cuantos, intentos, sospechosa, largo = largos[i : i + 4]
        desde, hasta = hasta, hasta + largo
        ref = textos[desde:hasta]
        campos = []
        for largo in largos[i + 4 : i + 4 + cuantos]:
            desde, hasta = hasta, hasta + largo
            campos.append(textos[desde:hasta])
        i += 4 + cuantos
        topico = _nombre(ref[ref.index(b" ") + 1 :].rstrip(b"!"))
        yield ref, intentos, sospechosa == 1, a_mensaje(topico, campos)


@lru_cache(maxsize=1024)
def _campo(cabecera: str) -> bytes:
    return b"content-type" if cabecera == "datacontenttype" else (_ATRIBUTO + cabecera).encode()


@lru_cache(maxsize=1024)
def _cabecera(campo: bytes) -> tuple[bool, str]:
    nombre = _texto(campo)
    if nombre == "content-type":
        return True, "datacontenttype"
    return (True, nombre.removeprefix(_ATRIBUTO)) if nombre.startswith(_ATRIBUTO) else (False, nombre)


@lru_cache(maxsize=1024)
def _nombre(topico: bytes) -> str:
    return _texto(topico)


def _texto(valor: bytes) -> str:
    return valor.decode(errors="replace")


def _clave(valor: bytes | None) -> str | None:
    try:
        return None if valor is None else valor.decode()
    except UnicodeDecodeError:
        return None  # no es texto: no serviría para decir que se retiene
