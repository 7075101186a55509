"""Comprueba que ningún comando ni query de un contexto se quedó sin handler."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from seedwork.aplicacion.bus import SinHandler
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.firmas import nombre_de
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.queries import Query


def exigir_completo(modulo: Modulo) -> None:
    """Lanza `SinHandler` por el primer comando o query definido en `modulo.paquete` que no esté en sus tablas."""
    if modulo.paquete is None:
        return
    for tipo in _definidos_en(modulo.paquete):
        tabla, nombre = (modulo.comandos, "comandos") if issubclass(tipo, Comando) else (modulo.queries, "queries")
        if tipo not in tabla:
            raise SinHandler(f"{nombre_de(tipo)} no tiene handler: falta en `{nombre}` del módulo {modulo.nombre}")


def _definidos_en(paquete: str) -> Iterator[type]:
    try:
        aplicacion = importlib.import_module(f"{paquete}.aplicacion")
    except ModuleNotFoundError as error:
        if error.name != f"{paquete}.aplicacion":
            raise
        return
    contenidos = pkgutil.walk_packages(getattr(aplicacion, "__path__", ()), f"{aplicacion.__name__}.")
    for nombre in [aplicacion.__name__, *(info.name for info in contenidos)]:
        for objeto in vars(importlib.import_module(nombre)).values():
            if isinstance(objeto, type) and issubclass(objeto, (Comando, Query)) and objeto.__module__ == nombre:
                yield objeto
