"""Los esquemas publicados: lo que salió no cambia ni se quita, y toda revisión se entiende con todas las demás.

Cada paquete `schema/vN` guarda junto a sus tipos los `.avsc` que publicó: el vigente de un tipo, `Nombre.avsc`; los
anteriores, `Nombre.1.avsc`, `Nombre.2.avsc`... El `publicados.json` del contrato, en `schema`, lleva de cada uno la
huella de su contenido y unos bytes escritos con él, que no se vuelven a generar. La compatibilidad la decide el
comprobador de Apache Avro, en los dos sentidos y entre todas las revisiones de todas las versiones: quien lee con una
vieja entiende lo nuevo, y quien lee con la nueva, lo viejo. Y cada tipo, tal como es hoy, lee los bytes de todas.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.compatibilidad import por_que_no_lee
from seedwork.infraestructura.esquemas import (
    esquema_de,
    huella_de,
    registros_en,
    revisiones_en,
    revisiones_publicadas,
    ruta_publicada,
    texto_publicable,
)
from seedwork.infraestructura.muestras import muestras_de

_PAQUETE = re.compile(r".*\.schema\.v\d+$")
_ACTA = "publicados.json"


@dataclass(frozen=True)
class Falta:
    """Una regla rota: cuál, por qué esquema y qué hay que hacer o mirar."""

    esquema: str
    regla: str
    detalle: str


class EsquemasIncompatibles(ErrorDeArranque):
    """Lo que se quiso publicar rompe a quien lee o a lo ya escrito; `faltas` dice qué regla."""

    def __init__(self, faltas: list[Falta]) -> None:
        super().__init__("; ".join(f"{f.esquema}: {f.regla}: {f.detalle}" for f in faltas))
        self.faltas = faltas


def registros_de(paquetes: Iterable[str]) -> list[type]:
    """Los mensajes de integración declarados en los `schema/vN` de esos paquetes, importándolos."""
    registros = {tipo for modulo in _modulos(paquetes) for tipo in registros_en(modulo)}
    return sorted(registros, key=lambda tipo: f"{tipo.__module__}.{tipo.__qualname__}")


def verificar(registros: Iterable[type]) -> list[Falta]:
    """Las reglas rotas por esos registros y lo publicado junto a ellos; ninguna si todo está bien."""
    registros = list(registros)
    faltas = [falta for tipo in registros for falta in _sin_publicar(tipo)]
    for contrato in sorted({_contrato(tipo) for tipo in registros}):
        faltas += _alterados(contrato)
    for revisiones in _familias(registros):
        faltas += _incompatibles(revisiones)
    return faltas + [falta for tipo in registros for falta in _ilegibles(tipo)]


def publicar(registros: Iterable[type]) -> list[Path]:
    """Escribe el `.avsc` de lo que cambió, conserva el anterior como revisión y lo anota; devuelve lo escrito.

    Lanza `EsquemasIncompatibles`, sin escribir nada, si algo publicado se alteró o lo nuevo no se entiende con ello.
    """
    registros = list(registros)
    if graves := [falta for falta in verificar(registros) if falta.regla != SIN_PUBLICAR]:
        raise EsquemasIncompatibles(graves)
    escritos = []
    for tipo in registros:
        ruta, avro, contrato = ruta_publicada(tipo), esquema_de(tipo).avro, _contrato(tipo)
        acta = _leer_acta(contrato)
        revisiones = revisiones_en(ruta.parent, tipo.__name__)
        if not _sin_publicar(tipo) and all(_en(revision) in acta for revision in revisiones):
            continue
        if ruta.exists() and _contenido(_leer(ruta)) != _contenido(avro):
            anterior = ruta.rename(ruta.with_name(f"{tipo.__name__}.{len(revisiones)}.avsc"))
            acta[_en(anterior)] = acta.pop(_en(ruta), None) or _anotar(_leer(anterior))
        ruta.write_text(texto_publicable(tipo), "utf-8")
        for revision in revisiones_en(ruta.parent, tipo.__name__):
            acta.setdefault(_en(revision), _anotar(_leer(revision)))
        (contrato / _ACTA).write_text(json.dumps(dict(sorted(acta.items())), indent=2) + "\n", "utf-8")
        escritos.append(ruta)
    return escritos


def revisiones_por_topico(registros: Iterable[type]) -> dict[str, list[dict[str, Any]]]:
    """Por tópico, todas las revisiones publicadas de sus registros, de la más vieja a la más nueva.

    El tópico lo dice el módulo de cada registro, en `TOPICO`; lanza `ErrorDeArranque` si no lo dice.
    """
    por_topico: dict[str, dict[Path, dict[str, Any]]] = {}
    for tipo in registros:
        topico = getattr(sys.modules[tipo.__module__], "TOPICO", None)
        if not isinstance(topico, str):
            raise ErrorDeArranque(f"{tipo.__module__} no dice el TOPICO de {tipo.__name__}")
        por_topico.setdefault(topico, {}).update((ruta, _leer(ruta)) for ruta in revisiones_publicadas(tipo))
    return {topico: list(revisiones.values()) for topico, revisiones in por_topico.items()}


SIN_PUBLICAR = "todo esquema se publica"
ALTERADO = "lo publicado no cambia"
QUITADO = "lo publicado no se quita"
COMPATIBLE = "toda revisión se entiende con todas"
LEGIBLE = "lo guardado se lee"


def _sin_publicar(tipo: type) -> list[Falta]:
    ruta = ruta_publicada(tipo)
    if ruta.exists() and ruta.read_text("utf-8") == texto_publicable(tipo):
        return []
    detalle = "su .avsc no es el que se deriva de su tipo" if ruta.exists() else "no tiene .avsc"
    return [Falta(_nombre(tipo), SIN_PUBLICAR, f"{detalle}: corra `seedwork esquemas publicar`")]


def _alterados(contrato: Path) -> Iterator[Falta]:
    acta = _leer_acta(contrato)
    for archivo, anotado in acta.items():
        ruta = contrato / archivo
        if not ruta.exists():
            yield Falta(archivo, QUITADO, "hay mensajes escritos con él: recupérelo")
        elif _contenido(_leer(ruta)) != anotado["contenido"]:
            yield Falta(archivo, ALTERADO, "recupere el archivo y publique el cambio como revisión nueva")
    for ruta in sorted(contrato.glob("v*/*.avsc")):
        if _en(ruta) not in acta:
            yield Falta(_en(ruta), SIN_PUBLICAR, f"no está en {_ACTA}: corra `seedwork esquemas publicar`")


def _ilegibles(tipo: type) -> Iterator[Falta]:
    """Lo que el comprobador de Avro no ve: que este código lea de verdad los bytes que se guardaron al publicar."""
    acta, esquema = _leer_acta(_contrato(tipo)), esquema_de(tipo)
    for ruta in revisiones_publicadas(tipo):
        for muestra in acta.get(_en(ruta), {}).get("muestras", ()):
            try:
                esquema.decodificar(bytes.fromhex(muestra), huella_de(_leer(ruta)))
            except Exception as error:  # noqa: BLE001 - lo que lance al leer, sea lo que sea, es la falta
                yield Falta(_nombre(tipo), LEGIBLE, f"no lee lo que escribió {_en(ruta)}: {error}")
                break


def _familias(registros: list[type]) -> Iterator[dict[str, Any]]:
    """Por nombre de registro y contexto, sus revisiones: las publicadas en cualquier versión y lo que hoy se deriva."""
    familias: dict[tuple[Path, str], dict[str, Any]] = {}
    for tipo in registros:
        carpeta = ruta_publicada(tipo).parent
        familia = familias.setdefault((carpeta.parent, tipo.__name__), {})
        for ruta in revisiones_publicadas(tipo):
            familia[_en(ruta)] = _leer(ruta)
        familia[_nombre(tipo)] = esquema_de(tipo).avro
    yield from familias.values()


def _incompatibles(revisiones: dict[str, Any]) -> Iterator[Falta]:
    for lector, escritor in permutations(revisiones, 2):
        if (razon := por_que_no_lee(revisiones[lector], revisiones[escritor])) is not None:
            yield Falta(lector, COMPATIBLE, f"no puede leer lo escrito con {escritor}: {razon}")


def _leer(ruta: Path) -> Any:
    try:
        return json.loads(ruta.read_text("utf-8"))
    except ValueError as error:
        raise EsquemasIncompatibles([Falta(_en(ruta), ALTERADO, f"no es JSON: {error}")]) from error


def _contrato(tipo: type) -> Path:
    """La carpeta de todas las versiones."""
    return ruta_publicada(tipo).parent.parent


def _leer_acta(contrato: Path) -> dict[str, Any]:
    ruta = contrato / _ACTA
    return _leer(ruta) if ruta.exists() else {}


def _anotar(avro: dict[str, Any]) -> dict[str, Any]:
    return {"contenido": _contenido(avro), "muestras": muestras_de(avro)}


def _contenido(avro: Any) -> str:
    """La huella de todo lo que cuenta al leer o escribir; la documentación se puede corregir."""
    return hashlib.sha256(json.dumps(_sin_doc(avro), sort_keys=True).encode()).hexdigest()


def _sin_doc(avro: Any) -> Any:
    if isinstance(avro, dict):
        return {clave: _sin_doc(valor) for clave, valor in avro.items() if clave != "doc"}
    return [_sin_doc(valor) for valor in avro] if isinstance(avro, list) else avro


def _nombre(tipo: type) -> str:
    avro = esquema_de(tipo).avro
    return f"{avro['namespace']}.{avro['name']}"


def _en(ruta: Path) -> str:
    return f"{ruta.parent.name}/{ruta.name}"


def _modulos(paquetes: Iterable[str]) -> Iterator[Any]:
    for nombre in paquetes:
        paquete = importlib.import_module(nombre)
        for hallado in pkgutil.walk_packages(getattr(paquete, "__path__", []), f"{nombre}."):
            if _PAQUETE.match(hallado.name.rpartition(".")[0]):
                yield importlib.import_module(hallado.name)
