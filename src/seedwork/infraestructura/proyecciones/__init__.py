"""Proyecciones: modelos de lectura plegados de eventos, que se pueden volver a plegar desde el primero.

Lo que reciben queda en la bitácora, y de ella se reconstruyen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import Session

from seedwork.aplicacion.firmas import ErrorDeArranque, FirmaInvalida, nombre_de
from seedwork.infraestructura.declaracion import Consumidor, Ruta, aplanar, construir, firma_de_consumo
from seedwork.infraestructura.politica import Reintentos


class ProyeccionInvalida(ErrorDeArranque):
    """Una proyección que no se podría reconstruir, o dos que se pisan."""


@dataclass(frozen=True, kw_only=True)
class Proyeccion(Consumidor):
    """Un consumidor cuyo único efecto son sus `tablas`, que nadie más escribe; un `Modulo` lo lista en `consumidores`.

    Cada mensaje queda en la bitácora, con sus bytes intactos, en la transacción de su efecto. Por eso `reconstruir`
    puede volver a plegarlos, también los de un tópico que otra proyección del mismo servicio siguió antes que ésta.
    """

    tablas: tuple[Table, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.tablas:
            raise ProyeccionInvalida(f"La proyección {self.nombre!r} no dice en qué tablas escribe")
        for topico in self.topicos:
            if "*" in topico or "#" in topico:
                raise ProyeccionInvalida(f"La proyección {self.nombre!r} nombra sus tópicos: {topico!r} es un patrón")
        for tabla in self.tablas:
            if tabla.schema is not None:
                raise ProyeccionInvalida(
                    f"La tabla {tabla.fullname!r} de la proyección {self.nombre!r} dice su schema: al reconstruirla se"
                    " escribiría en la viva"
                )
            if tabla.autoincrement_column is not None:
                raise ProyeccionInvalida(
                    f"La columna {tabla.autoincrement_column.name!r} de {tabla.name!r}, de la proyección"
                    f" {self.nombre!r}, se numera sola, y reconstruida sería otra: tómela de los eventos, con"
                    " autoincrement=False"
                )

    @property
    def ruta(self) -> Ruta:
        """Su única función, con su firma."""
        return self.rutas[0]


def proyeccion(
    nombre: str,
    *,
    topic: str | Sequence[str],
    tablas: Sequence[Table],
    reintentos: Reintentos | None = None,
    **opciones: Any,
) -> Callable[[Callable[..., Any]], Proyeccion]:
    """Declara una función `(evento, sesion: Session)` que aplica cada evento de esos tópicos a esas tablas.

    Sólo depende de lo que recibe: al reconstruir se llama otra vez con lo mismo, y ha de dar lo mismo. Escribe en sus
    tablas por su nombre, sin schema, con Core, con el ORM o con SQL. Las opciones son las de un `Consumidor`.
    """

    def declarar(funcion: Callable[..., Any]) -> Proyeccion:
        firma = firma_de_consumo(funcion)
        if firma.es_async or firma.puertos != (Session,):
            raise FirmaInvalida(
                f"{nombre_de(funcion)} es una proyección: debe ser `def` y recibir el evento y la Session, nada más;"
                " con otra cosa no daría lo mismo al reconstruirla"
            )
        return construir(
            Proyeccion,
            funcion,
            nombre=nombre,
            topicos=aplanar((topic,)),
            rutas=(Ruta(funcion=funcion, firma=firma),),
            tablas=tuple(tablas),
            reintentos=reintentos,
            **opciones,
        )

    return declarar


def reunir_proyecciones(consumidores: Iterable[Consumidor]) -> dict[str, Proyeccion]:
    """Las que hay entre esos consumidores, por su nombre; `ProyeccionInvalida` si dos comparten nombre o tabla."""
    reunidas: dict[str, Proyeccion] = {}
    duenas: dict[str, str] = {}
    for consumidor in consumidores:
        if not isinstance(consumidor, Proyeccion):
            continue
        if consumidor.nombre in reunidas:
            raise ProyeccionInvalida(f"Hay dos proyecciones que se llaman {consumidor.nombre!r}")
        reunidas[consumidor.nombre] = consumidor
        for tabla in consumidor.tablas:
            if (otra := duenas.setdefault(tabla.name, consumidor.nombre)) != consumidor.nombre:
                raise ProyeccionInvalida(
                    f"La tabla {tabla.name!r} es de dos proyecciones, {otra!r} y {consumidor.nombre!r}: al reconstruir"
                    " una se perdería lo de la otra"
                )
    return reunidas
