"""Los esquemas publicados: lo que salió no cambia ni se quita, y toda revisión se entiende con todas las demás.

Cada paquete `schema/vN` guarda junto a sus tipos los `.avsc` que publicó: el vigente de un tipo, `Nombre.avsc`; los
anteriores, `Nombre.1.avsc`, `Nombre.2.avsc`... Su `publicados.json` lleva la huella de cada uno. La compatibilidad la
decide el comprobador de Apache Avro, en los dos sentidos y entre todas las revisiones de todas las versiones: quien lee
con una vieja entiende lo nuevo, y quien lee con la nueva, lo viejo.
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
    revisiones_en,
    revisiones_publicadas,
    ruta_publicada,
    texto_publicable,
)
from seedwork.infraestructura.schema.v1.mensajes import MensajeIntegracion

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
    encontrados: dict[str, type] = {}
    for modulo in _modulos(paquetes):
        for objeto in vars(modulo).values():
            propio = isinstance(objeto, type) and objeto.__module__ == modulo.__name__
            if propio and issubclass(objeto, MensajeIntegracion):
                encontrados[f"{objeto.__module__}.{objeto.__qualname__}"] = objeto
    return [encontrados[nombre] for nombre in sorted(encontrados)]


def verificar(registros: Iterable[type]) -> list[Falta]:
    """Las reglas rotas por esos registros y lo publicado junto a ellos; ninguna si todo está bien."""
    registros = list(registros)
    faltas = [falta for tipo in registros for falta in _sin_publicar(tipo)]
    for carpeta in sorted({ruta_publicada(tipo).parent for tipo in registros}):
        faltas += _alterados(carpeta)
    for revisiones in _familias(registros):
        faltas += _incompatibles(revisiones)
    return faltas


def publicar(registros: Iterable[type]) -> list[Path]:
    """Escribe el `.avsc` de lo que cambió, conserva el anterior como revisión y lo anota; devuelve lo escrito.

    Lanza `EsquemasIncompatibles`, sin escribir nada, si algo publicado se alteró o lo nuevo no se entiende con ello.
    """
    registros = list(registros)
    if graves := [falta for falta in verificar(registros) if falta.regla != SIN_PUBLICAR]:
        raise EsquemasIncompatibles(graves)
    escritos = []
    for tipo in registros:
        ruta, avro = ruta_publicada(tipo), esquema_de(tipo).avro
        acta = _leer_acta(ruta.parent)
        anotadas = {anotada.name: _contenido(_leer(anotada)) for anotada in revisiones_en(ruta.parent, tipo.__name__)}
        if not _sin_publicar(tipo) and anotadas.items() <= acta.items():
            continue
        acta = anotadas | acta
        if ruta.exists() and _contenido(_leer(ruta)) != _contenido(avro):
            anterior = f"{tipo.__name__}.{len(revisiones_en(ruta.parent, tipo.__name__))}.avsc"
            ruta.rename(ruta.with_name(anterior))
            acta[anterior] = acta.pop(ruta.name)
        ruta.write_text(texto_publicable(tipo), "utf-8")
        acta[ruta.name] = _contenido(avro)
        (ruta.parent / _ACTA).write_text(json.dumps(dict(sorted(acta.items())), indent=2) + "\n", "utf-8")
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


def _sin_publicar(tipo: type) -> list[Falta]:
    ruta = ruta_publicada(tipo)
    if ruta.exists() and ruta.read_text("utf-8") == texto_publicable(tipo):
        return []
    detalle = "su .avsc no es el que se deriva de su tipo" if ruta.exists() else "no tiene .avsc"
    return [Falta(_nombre(tipo), SIN_PUBLICAR, f"{detalle}: corra `seedwork esquemas publicar`")]


def _alterados(carpeta: Path) -> Iterator[Falta]:
    acta = _leer_acta(carpeta)
    for archivo, huella in acta.items():
        ruta = carpeta / archivo
        if not ruta.exists():
            yield Falta(_en(ruta), QUITADO, "hay mensajes escritos con él: recupérelo")
        elif _contenido(_leer(ruta)) != huella:
            yield Falta(_en(ruta), ALTERADO, "recupere el archivo y publique el cambio como revisión nueva")
    for ruta in sorted(carpeta.glob("*.avsc")):
        if ruta.name not in acta:
            yield Falta(_en(ruta), SIN_PUBLICAR, f"no está en {_ACTA}: corra `seedwork esquemas publicar`")


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


def _leer_acta(carpeta: Path) -> dict[str, str]:
    ruta = carpeta / _ACTA
    return _leer(ruta) if ruta.exists() else {}


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
