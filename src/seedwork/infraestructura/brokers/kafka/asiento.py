"""Lo que se guarda con la posición confirmada de una partición, en los 4 kB de metadatos que Kafka da para ello.

Kafka sólo recuerda hasta dónde se terminó todo. Aquí va lo demás: qué se terminó más allá, qué pudo estar en manos de
alguien, y los intentos y esperas de cada mensaje que los tenga. Pasa con la partición a su próximo dueño.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

METADATOS_MAXIMO = 4000  # Kafka admite 4096 por defecto
_VERSION = 1

Rangos = list[tuple[int, int]]


@dataclass(slots=True)
class Asiento:
    """El estado de una partición desde `base`, lo primero sin terminar.

    `sospechosas` son rangos [desde, hasta) que pudieron morir con su dueño; `anotadas`, los intentos y el vencimiento
    (ms; 0 si no espera) de lo que difiere de lo normal.
    """

    base: int
    dueno: str = ""
    hechas: set[int] = field(default_factory=set)
    sospechosas: Rangos = field(default_factory=list)
    anotadas: dict[int, tuple[int, int]] = field(default_factory=dict)


def escribir(asiento: Asiento) -> str:
    """Lo que no quepa se pierde por donde menos daña: algo se repetirá, o será sospechoso sin serlo."""
    base = asiento.base
    sospechosas = [(desde - base, hasta - base) for desde, hasta in asiento.sospechosas]
    anotadas = sorted([o - base, intentos, vence] for o, (intentos, vence) in asiento.anotadas.items())
    hechas = sorted(o - base for o in asiento.hechas)
    while True:
        texto = json.dumps(
            {"v": _VERSION, "d": asiento.dueno, "h": _a_mapa(hechas), "s": sospechosas, "a": anotadas},
            separators=(",", ":"),
        )
        if len(texto) <= METADATOS_MAXIMO:
            return texto
        if len(sospechosas) > 1:
            sospechosas = [(sospechosas[0][0], sospechosas[-1][1])]
        elif len(hechas) > 1:
            hechas = hechas[: len(hechas) // 2]
        else:
            anotadas = anotadas[: len(anotadas) // 2]


def leer(base: int, metadatos: str | None) -> Asiento:
    """Lo que otro programa haya dejado ahí no es nuestro: se lee como si no hubiera nada."""
    try:
        datos = json.loads(metadatos or "{}")
        if datos.get("v") != _VERSION:
            return Asiento(base)
        return Asiento(
            base,
            str(datos["d"]),
            {base + o for o in _de_mapa(datos["h"])},
            [(base + int(desde), base + int(hasta)) for desde, hasta in datos["s"]],
            {base + int(o): (int(intentos), int(vence)) for o, intentos, vence in datos["a"]},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, zlib.error, binascii.Error):
        return Asiento(base)


def en_rangos(posiciones: Iterable[int]) -> Rangos:
    rangos: Rangos = []
    for o in sorted(posiciones):
        if rangos and rangos[-1][1] == o:
            rangos[-1] = (rangos[-1][0], o + 1)
        else:
            rangos.append((o, o + 1))
    return rangos


def _a_mapa(posiciones: list[int]) -> str:
    if not posiciones:
        return ""
    mapa = bytearray(posiciones[-1] // 8 + 1)
    for o in posiciones:
        mapa[o >> 3] |= 1 << (o & 7)
    return base64.b64encode(zlib.compress(bytes(mapa), 1)).decode()


def _de_mapa(texto: str) -> Iterable[int]:
    if not texto:
        return ()
    mapa = zlib.decompressobj().decompress(base64.b64decode(texto), 1 << 20)
    return [i * 8 + bit for i, octeto in enumerate(mapa) if octeto for bit in range(8) if octeto >> bit & 1]
