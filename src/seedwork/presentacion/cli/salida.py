"""Cómo se escribe un resultado: una tabla para una persona, JSON para un programa, una barra mientras se espera."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from rich.table import Table

from seedwork.infraestructura.codificacion import a_json

_ANCHO_SIN_TERMINAL = 200

opcion_json = click.option("--json", "en_json", is_flag=True, help="Escribe JSON, para otro programa.")


def escribir_json(valor: Any) -> None:
    """Un documento JSON en una línea."""
    click.echo(a_json(valor).decode())


def escribir_tabla(titulo: str, columnas: Sequence[str], filas: Iterable[Sequence[object]]) -> None:
    """Una tabla con título; sin filas, no escribe nada."""
    tabla = Table(*columnas, title=titulo, title_justify="left")
    for fila in filas:
        tabla.add_row(*["" if celda is None else str(celda) for celda in fila])
    if tabla.row_count:
        Console(width=None if sys.stdout.isatty() else _ANCHO_SIN_TERMINAL, markup=False).print(tabla)


@contextmanager
def barra(que: str) -> Iterator[Progress]:
    """Una barra de progreso en la salida de errores, si es un terminal; sus tareas se añaden con `add_task`."""
    consola = Console(stderr=True)
    with Progress(
        *Progress.get_default_columns(), MofNCompleteColumn(), console=consola, disable=not consola.is_terminal
    ) as progreso:
        progreso.add_task(que, total=0)
        yield progreso
