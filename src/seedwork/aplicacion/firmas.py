"""Lectura de firmas: qué mensaje recibe un handler y qué puertos pide, o un error que lo nombra."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class ErrorDeArranque(Exception):
    """El sistema está mal armado; el arranque se detiene con una frase que dice dónde."""


class FirmaInvalida(ErrorDeArranque):
    """Un handler o un proveedor cuya firma no se puede resolver."""


@dataclass(frozen=True)
class Firma:
    """`mensaje` es el tipo del primer parámetro; `puertos`, los de los demás, en orden."""

    mensaje: Any
    puertos: tuple[Any, ...]
    retorno: Any
    es_async: bool


def nombre_de(objeto: Any) -> str:
    """`paquete.modulo.objeto`, para que un error diga de quién habla."""
    nombre = getattr(objeto, "__qualname__", None) or type(objeto).__qualname__
    return f"{getattr(objeto, '__module__', '?')}.{nombre}"


def dependencias(proveedor: Callable[..., Any]) -> tuple[Any, ...]:
    """Los tipos de los parámetros obligatorios de una clase (su constructor) o función que provee un puerto."""
    if inspect.isclass(proveedor) and proveedor.__init__ is object.__init__:
        return ()
    funcion = proveedor.__init__ if inspect.isclass(proveedor) else proveedor
    parametros = _parametros(proveedor, omitir_primero=inspect.isclass(proveedor), funcion=funcion)
    return tuple(tipo for _, tipo in parametros)


def firma_de(handler: Callable[..., Any], quien: str | None = None) -> Firma:
    """La firma de un handler `(mensaje, puertos por tipo...)`; lanza `FirmaInvalida` si no es eso."""
    quien = quien or nombre_de(handler)
    parametros = _parametros(handler, quien=quien)
    if not parametros:
        raise FirmaInvalida(f"{quien} debe recibir el mensaje como primer parámetro")
    return Firma(
        mensaje=parametros[0][1],
        puertos=tuple(tipo for _, tipo in parametros[1:]),
        retorno=_anotaciones(handler, quien).get("return"),
        es_async=inspect.iscoroutinefunction(handler),
    )


def _parametros(
    objeto: Any, *, omitir_primero: bool = False, funcion: Any = None, quien: str | None = None
) -> list[tuple[str, Any]]:
    quien = quien or nombre_de(objeto)
    funcion = funcion or objeto
    tipos = _anotaciones(funcion, quien)
    resultado = []
    for parametro in list(inspect.signature(funcion).parameters.values())[1 if omitir_primero else 0 :]:
        if parametro.kind in (parametro.VAR_POSITIONAL, parametro.VAR_KEYWORD):
            raise FirmaInvalida(f"{quien} no puede recibir *{parametro.name}: cada parámetro se resuelve por su tipo")
        if parametro.default is not parametro.empty:
            continue
        if parametro.kind is parametro.KEYWORD_ONLY:
            raise FirmaInvalida(f"El parámetro {parametro.name} de {quien} debe poder darse por posición")
        if parametro.name not in tipos:
            raise FirmaInvalida(f"El parámetro {parametro.name} de {quien} no tiene tipo")
        resultado.append((parametro.name, tipos[parametro.name]))
    return resultado


def tipos_de(clase: type) -> dict[str, Any]:
    """Los tipos de los atributos anotados de una clase; `FirmaInvalida` si alguno no se encuentra."""
    return _anotaciones(clase, nombre_de(clase))


def _anotaciones(funcion: Any, quien: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(funcion)
    except NameError as error:
        raise FirmaInvalida(
            f"El tipo {error.name!r} de la firma de {quien} no se encuentra: impórtelo fuera de TYPE_CHECKING"
        ) from error
    except (AttributeError, SyntaxError, TypeError) as error:
        raise FirmaInvalida(f"Los tipos de la firma de {quien} no se entienden: {error}") from error
