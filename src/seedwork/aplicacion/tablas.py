"""Las tablas de quién atiende qué, compiladas al arrancar: uno por comando o query, los que haga falta por evento."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.compilacion import HandlerCompilado, Puertos, compilar
from seedwork.aplicacion.firmas import ErrorDeArranque, FirmaInvalida, nombre_de
from seedwork.aplicacion.modulo import Handler, Modulo, TrasConfirmar
from seedwork.aplicacion.queries import Query

T = TypeVar("T")
Eventos = Mapping[type, Sequence[HandlerCompilado]]


class SinHandler(ErrorDeArranque):
    """Nadie atiende ese mensaje."""


class HandlerRepetido(ErrorDeArranque):
    """Dos handlers quieren el mismo comando o la misma query."""


def con_tablas(
    modulos: Sequence[Modulo],
    *,
    comandos: Mapping[type, Handler],
    queries: Mapping[type, Handler],
    eventos: Mapping[type, Sequence[Handler]],
) -> list[Modulo]:
    """Los módulos sin los handlers que alguna de estas tablas reemplaza, y uno más, `bootstrap`, con ellas."""
    if not (comandos or queries or eventos):
        return list(modulos)
    quedan = [
        replace(
            modulo,
            comandos=_sin(modulo.comandos, comandos),
            queries=_sin(modulo.queries, queries),
            eventos=_sin(modulo.eventos, eventos),
        )
        for modulo in modulos
    ]
    return [*quedan, Modulo(nombre="bootstrap", comandos=comandos, queries=queries, eventos=eventos)]


def _sin(tabla: Mapping[type, T], reemplazos: Mapping[type, Any]) -> dict[type, T]:
    return {tipo: quien for tipo, quien in tabla.items() if tipo not in reemplazos}


def compilar_tabla(modulos: Sequence[Modulo], tabla: str, puertos: Puertos) -> dict[type, HandlerCompilado]:
    """El handler de cada comando o query; `HandlerRepetido` si alguno tiene dos."""
    compilados: dict[type, HandlerCompilado] = {}
    duenos: dict[type, str] = {}
    for modulo in modulos:
        for tipo, handler in getattr(modulo, tabla).items():
            if tipo in compilados:
                raise HandlerRepetido(
                    f"{nombre_de(tipo)} tiene dos handlers: {compilados[tipo].nombre} (módulo {duenos[tipo]}) "
                    f"y {nombre_de(handler)} (módulo {modulo.nombre})"
                )
            if issubclass(tipo, Query if tabla == "comandos" else Comando):
                raise ErrorDeArranque(f"{nombre_de(tipo)} no va en `{tabla}` del módulo {modulo.nombre}")
            compilados[tipo] = compilar(handler, puertos)
            duenos[tipo] = modulo.nombre
            if compilados[tipo].mensaje is not tipo:
                raise _atiende_otro(compilados[tipo], tipo)
    return compilados


def compilar_eventos(modulos: Sequence[Modulo], puertos: Puertos) -> tuple[Eventos, Eventos]:
    """Los handlers de cada evento en el orden en que se declaran: los de la transacción, y los de tras confirmarla."""
    dentro: dict[type, list[HandlerCompilado]] = {}
    despues: dict[type, list[HandlerCompilado]] = {}
    for modulo in modulos:
        for tipo, handlers in modulo.eventos.items():
            for handler in handlers:
                if isinstance(handler, TrasConfirmar):
                    despues.setdefault(tipo, []).append(_compilar_evento(handler.handler, tipo, puertos))
                    continue
                compilado = _compilar_evento(handler, tipo, puertos)
                if compilado.es_async:
                    raise FirmaInvalida(
                        f"{compilado.nombre} atiende eventos de dominio: debe ser `def`, no `async def`,"
                        " salvo con `tras_confirmar`"
                    )
                dentro.setdefault(tipo, []).append(compilado)
    return dentro, despues


def _compilar_evento(handler: Any, tipo: type, puertos: Puertos) -> HandlerCompilado:
    compilado = compilar(handler, puertos)
    if not _acepta(compilado.mensaje, tipo):
        raise _atiende_otro(compilado, tipo)
    return compilado


def _atiende_otro(handler: HandlerCompilado, tipo: type) -> FirmaInvalida:
    return FirmaInvalida(
        f"{handler.nombre} atiende {nombre_de(tipo)} pero su primer parámetro es de tipo {nombre_de(handler.mensaje)}"
    )


def _acepta(declarado: Any, tipo: type) -> bool:
    """Si un parámetro `declarado` (una clase, una base común o una unión) admite un evento de ese tipo."""
    opciones = typing.get_args(declarado) or (declarado,)
    return Any in opciones or any(inspect.isclass(opcion) and issubclass(tipo, opcion) for opcion in opciones)
