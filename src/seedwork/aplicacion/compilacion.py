"""Compila los handlers al arrancar: de una firma y los puertos, a una función lista para llamar."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from seedwork.aplicacion.firmas import FirmaInvalida, firma_de, nombre_de


class Ambito(Protocol):
    """Lo que vive para un mensaje: da cada puerto, ya construido, por su tipo."""

    def get(self, svc_type: Any, /) -> Any: ...


class Puertos(Protocol):
    """Lo que la compilación pregunta a quien conoce los proveedores."""

    def exigir(self, puerto: Any, quien: str) -> bool:
        """Si `puerto` vive por mensaje (True) o por proceso (False); `PuertoSinProveedor` si nadie lo provee."""
        ...

    def del_proceso(self, puerto: Any) -> Any:
        """El objeto único de un puerto que vive por proceso."""
        ...


@dataclass(frozen=True, slots=True)
class HandlerCompilado:
    """`llamar(mensaje, ambito)` ejecuta el handler; si no es `transaccional`, el ámbito no se usa."""

    nombre: str
    mensaje: Any
    retorno: Any
    es_async: bool
    transaccional: bool
    llamar: Callable[[Any, Any], Any]


def compilar(handler: Any, puertos: Puertos) -> HandlerCompilado:
    """Resuelve una vez todo lo que se puede resolver antes del primer mensaje."""
    if inspect.isclass(handler):
        return _compilar_clase(handler, puertos)
    firma = firma_de(handler)
    nombre = nombre_de(handler)
    por_mensaje = [puertos.exigir(puerto, nombre) for puerto in firma.puertos]
    transaccional = any(por_mensaje)
    return HandlerCompilado(
        nombre,
        firma.mensaje,
        firma.retorno,
        firma.es_async,
        transaccional,
        _enlazar(handler, firma, por_mensaje, puertos),
    )


def _enlazar(handler: Any, firma: Any, por_mensaje: list[bool], puertos: Puertos) -> Callable[[Any, Any], Any]:
    if not firma.puertos:
        return lambda mensaje, _ambito: handler(mensaje)
    if not any(por_mensaje):
        fijos = tuple(puertos.del_proceso(puerto) for puerto in firma.puertos)
        return lambda mensaje, _ambito: handler(mensaje, *fijos)
    if len(firma.puertos) == 1:
        unico = firma.puertos[0]
        return lambda mensaje, ambito: handler(mensaje, ambito.get(unico))
    tipos = firma.puertos
    return lambda mensaje, ambito: handler(mensaje, *[ambito.get(tipo) for tipo in tipos])


def _compilar_clase(clase: Any, puertos: Puertos) -> HandlerCompilado:
    nombre = nombre_de(clase)
    if not callable(getattr(clase, "handle", None)):
        raise FirmaInvalida(f"{nombre} es una clase handler sin método `handle(mensaje)`")
    transaccional = puertos.exigir(clase, nombre)
    metodo = clase.handle
    firma = firma_de(metodo.__get__(object()), f"{nombre}.handle")
    if firma.puertos:
        raise FirmaInvalida(f"{nombre}.handle recibe sólo el mensaje; sus puertos van en el constructor")
    llamar: Callable[[Any, Any], Any]
    if transaccional:
        llamar = lambda mensaje, ambito: ambito.get(clase).handle(mensaje)  # noqa: E731 - se elige una de dos
    else:
        handle = puertos.del_proceso(clase).handle
        llamar = lambda mensaje, _ambito: handle(mensaje)  # noqa: E731
    return HandlerCompilado(
        nombre, firma.mensaje, firma.retorno, inspect.iscoroutinefunction(metodo), transaccional, llamar
    )
