"""`@event`: una acción cuyo retorno se publica cuando termina bien."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect as inspeccionar
from sqlalchemy.orm import InstanceState

from seedwork.aplicacion.firmas import ErrorDeArranque, FirmaInvalida, nombre_de
from seedwork.infraestructura.brokers import compilar_patrones
from seedwork.infraestructura.codificacion import a_json
from seedwork.infraestructura.respuesta import flask_en_curso

Anunciar = Callable[["Accion", Any], None]


@dataclass(frozen=True, kw_only=True)
class Accion:
    """Una función y el evento que la cuenta. Es un valor: llamarla no publica nada; `Mensajeria.ligar` la une a quien
    publica."""

    funcion: Callable[..., Any]
    evento: str
    topico: str | None = None
    campo_clave: str | None = None
    con_retorno: bool = True

    def __call__(self, *argumentos: Any, **opciones: Any) -> Any:
        return self.funcion(*argumentos, **opciones)

    def __get__(self, instancia: Any, clase: Any = None) -> Any:
        return self if instancia is None else self.funcion.__get__(instancia, clase)


def event(
    event_name: str, *, topic: str | None = None, key_field: str | None = None, include_result: bool = True
) -> Callable[[Callable[..., Any]], Accion]:
    """Declara que una función, síncrona o asíncrona, anuncia `event_name` con lo que devuelve.

    `key_field` es el campo del retorno que da la clave de orden; sin `include_result`, el evento va sin datos.
    """

    def declarar(funcion: Callable[..., Any]) -> Accion:
        for nombre in (event_name, *([] if topic is None else [topic])):
            _exigir_nombre(nombre, funcion)
        if not callable(funcion) or inspect.isgeneratorfunction(funcion) or inspect.isasyncgenfunction(funcion):
            raise FirmaInvalida(f"`event` publica lo que devuelve una función, y {nombre_de(funcion)} no devuelve nada")
        return Accion(
            funcion=funcion, evento=event_name, topico=topic, campo_clave=key_field, con_retorno=include_result
        )

    return declarar


def ligada(accion: Accion, anunciar: Anunciar) -> Callable[..., Any]:
    """La función de la acción, que además llama a `anunciar` con su retorno; nunca si lanza."""
    funcion = accion.funcion
    if inspect.iscoroutinefunction(funcion) or inspect.iscoroutinefunction(getattr(funcion, "__call__", None)):  # noqa: B004 - una aplicación ASGI puede ser un objeto

        @functools.wraps(funcion)
        async def llamar_async(*argumentos: Any, **opciones: Any) -> Any:
            resultado = await funcion(*argumentos, **opciones)
            anunciar(accion, resultado)
            return resultado

        return llamar_async

    @functools.wraps(funcion)
    def llamar(*argumentos: Any, **opciones: Any) -> Any:
        resultado = funcion(*argumentos, **opciones)
        anunciar(accion, resultado)
        return resultado

    return llamar


def datos_de(resultado: Any) -> Any:
    """Lo que un retorno dice: el cuerpo si es una respuesta HTTP con JSON, las columnas si es una fila de SQLAlchemy, o
    él mismo. Lanza `ValueError` si es una respuesta sin JSON."""
    if isinstance(resultado, tuple) and flask_en_curso() is not None:
        resultado = resultado[0]  # en Flask, (cuerpo, estado, cabeceras)
    if hasattr(resultado, "status_code"):
        return _json_de(resultado)
    estado = inspeccionar(resultado, raiseerr=False)
    if isinstance(estado, InstanceState):
        return {columna.key: getattr(resultado, columna.key) for columna in estado.mapper.column_attrs}
    return resultado


def _json_de(respuesta: Any) -> Any:
    if getattr(respuesta, "is_json", False) and not getattr(respuesta, "is_streamed", False):  # Flask
        return respuesta.get_json()
    if isinstance(cuerpo := getattr(respuesta, "body", None), bytes):  # Starlette y quien la siga
        return json.loads(cuerpo)
    raise ValueError("la respuesta no lleva JSON del que tomar los datos del evento: use `include_result=False`")


def clave_de(nombre: str, datos: Any, campo: str | None) -> str | None:
    """El campo que da la clave de orden, como texto; `ValueError` si no está."""
    if campo is None:
        return None
    if not isinstance(datos, Mapping):
        datos = json.loads(a_json(datos))
    if not isinstance(datos, Mapping) or datos.get(campo) is None:
        raise ValueError(f"El evento {nombre!r} no tiene el campo {campo!r} que debía darle la clave")
    return str(datos[campo])


def _exigir_nombre(nombre: str, funcion: Any) -> None:
    try:
        compilar_patrones([nombre])
    except ErrorDeArranque as error:
        raise ErrorDeArranque(f"{nombre_de(funcion)}: {error}") from error
    if "*" in nombre or "#" in nombre:
        raise ErrorDeArranque(f"{nombre_de(funcion)}: {nombre!r} es un patrón, y se publica con un nombre")
