"""Lo que hace falta de protobuf para el protocolo binario de Pulsar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Campos = list[tuple[int, int | bytes]]


def _varint(valor: int) -> bytes:
    escrito = bytearray()
    while valor > 0x7F:
        escrito.append(valor & 0x7F | 0x80)
        valor >>= 7
    return bytes([*escrito, valor])


def numero(campo: int, valor: int) -> bytes:
    return _varint(campo << 3) + _varint(valor)


def texto(campo: int, valor: bytes) -> bytes:
    return _varint(campo << 3 | 2) + _varint(len(valor)) + valor


def entero(contenido: Campos, campo: int) -> int:
    valor: Any = dict(contenido).get(campo, 0)
    return valor if isinstance(valor, int) else 0


def leer_texto(contenido: Campos, campo: int) -> str:
    valor = dict(contenido).get(campo, b"")
    return valor.decode(errors="replace") if isinstance(valor, bytes) else ""


def campos(escrito: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Los campos de un mensaje de protobuf; `ValueError` si no lo es."""
    lugar = 0

    def varint() -> int:
        nonlocal lugar
        valor = despl = 0
        while True:
            if lugar >= len(escrito) or despl > 63:
                raise ValueError("lo que contesta no es Pulsar")
            octeto = escrito[lugar]
            lugar += 1
            valor |= (octeto & 0x7F) << despl
            despl += 7
            if octeto < 0x80:
                return valor

    while lugar < len(escrito):
        campo, forma = divmod(varint(), 8)
        if forma == 0:
            yield campo, varint()
            continue
        largo = {1: 8, 5: 4}.get(forma)
        largo = varint() if forma == 2 else largo
        if largo is None or lugar + largo > len(escrito):
            raise ValueError("lo que contesta no es Pulsar")
        yield campo, escrito[lugar : lugar + largo]
        lugar += largo
