"""`seedwork proyeccion`: cómo va cada modelo de lectura, y volver a plegarlo desde la bitácora."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

import click
from sqlalchemy.exc import DBAPIError

from seedwork.infraestructura.base_datos import BaseOcupada
from seedwork.infraestructura.codificacion import rfc3339
from seedwork.infraestructura.inquilinos import Inquilinos, SinInquilino, en_nombre_de
from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.infraestructura.proyecciones import Proyeccion, reunir_proyecciones
from seedwork.infraestructura.proyecciones.estado import estados
from seedwork.infraestructura.proyecciones.reconstruccion import BitacoraIncompleta, MensajeSinAplicar, reconstruir
from seedwork.infraestructura.proyecciones.turno import ErrorReconstruccion
from seedwork.presentacion.cli.carga import con_mensajeria
from seedwork.presentacion.cli.grupo import Grupo
from seedwork.presentacion.cli.salida import barra, escribir_json, escribir_tabla, opcion_json

_opcion_inquilino = click.option("--inquilino", metavar="SCHEMA", help="De quién, donde hay un schema por inquilino.")


@click.group(cls=Grupo)
def proyeccion() -> None:
    """Mira las proyecciones y las reconstruye."""


@proyeccion.command()
@_opcion_inquilino
@opcion_json
@con_mensajeria
def listar(mensajeria: Mensajeria, inquilino: str | None, en_json: bool) -> None:
    """Dice de cada proyección sus tablas, cuánto aplicó, lo último y lo que le falta, y si se está reconstruyendo."""
    declaradas = reunir_proyecciones(mensajeria.consumidores).values()
    with _base(mensajeria, inquilino) as inquilinos:
        leidos = estados(inquilinos, declaradas)
    if en_json:
        escribir_json([asdict(leido) for leido in leidos])
        return
    columnas = ("nombre", "tablas", "tópicos", "aplicados", "último", "pendientes", "reconstruida")
    filas = [
        [
            leido.nombre,
            "\n".join(leido.tablas),
            "\n".join(leido.topicos),
            leido.aplicados,
            _cuando(leido.ultimo_ms),
            leido.pendientes,
            _cuando(leido.reconstruida_ms) if leido.reconstruyendo is None else f"ahora: {leido.reconstruyendo:.0%}",
        ]
        for leido in leidos
    ]
    escribir_tabla("Proyecciones", columnas, filas)


@proyeccion.command("reconstruir")
@click.argument("nombre", metavar="NOMBRE")
@click.option("--omitir", multiple=True, metavar="ID", help="No aplica ese mensaje; se repite.")
@click.option("--aunque-falten", is_flag=True, help="También si la bitácora no tiene todo lo que la viva ya aplicó.")
@_opcion_inquilino
@opcion_json
@con_mensajeria
def mandato_reconstruir(
    mensajeria: Mensajeria,
    nombre: str,
    omitir: tuple[str, ...],
    aunque_falten: bool,
    inquilino: str | None,
    en_json: bool,
) -> None:
    """Vuelve a plegar la proyección desde la bitácora, al lado de la viva, y la sustituye al final.

    Entretanto la viva se lee y se alimenta. Si falla o se interrumpe, queda como estaba y se puede volver a empezar.
    """
    elegida = _declarada(mensajeria, nombre)
    with _base(mensajeria, inquilino) as inquilinos, barra(f"Reconstruyendo {nombre}") as progreso:
        (tarea,) = progreso.task_ids
        for avance in reconstruir(inquilinos, elegida, omitir=omitir, aunque_falten=aunque_falten):
            progreso.update(tarea, total=avance.total, completed=avance.aplicados)
    if en_json:
        escribir_json({"nombre": nombre, "aplicados": avance.aplicados})
    else:
        click.echo(f"{nombre}: {avance.aplicados} eventos aplicados")


def _declarada(mensajeria: Mensajeria, nombre: str) -> Proyeccion:
    declaradas = reunir_proyecciones(mensajeria.consumidores)
    if nombre not in declaradas:
        raise click.UsageError(f"No hay proyección {nombre!r}; hay: {', '.join(declaradas) or 'ninguna'}")
    return declaradas[nombre]


@contextmanager
def _base(mensajeria: Mensajeria, inquilino: str | None) -> Iterator[Inquilinos]:
    """La base en que viven, en nombre del inquilino dicho; lo que falle dentro, con una frase."""
    if mensajeria.bus is None or mensajeria.bus.inquilinos is None:
        raise click.UsageError("Esta aplicación no tiene base de datos: no hay proyecciones")
    inquilinos = mensajeria.bus.inquilinos
    if inquilino is not None and not inquilinos.por_transaccion:
        raise click.UsageError("Esta aplicación no tiene un schema por inquilino")
    try:
        with en_nombre_de(schema=inquilino):
            yield inquilinos
    except SinInquilino:
        raise click.UsageError("Diga de qué inquilino, con `--inquilino SCHEMA`") from None
    except ErrorReconstruccion as error:
        raise click.ClickException(f"{error}.{_SALIDAS.get(type(error), '')}") from error
    except (DBAPIError, BaseOcupada) as error:
        raise click.ClickException(f"La base falló: {getattr(error, 'orig', error)}") from error


_SALIDAS: dict[type[ErrorReconstruccion], str] = {
    MensajeSinAplicar: "\nNada cambió. Corrija la función, o deje fuera ese mensaje con `--omitir ID`",
    BitacoraIncompleta: "\nNada cambió. Si no importa, repita con `--aunque-falten`",
}


def _cuando(ms: int | None) -> str:
    return "nunca" if ms is None else rfc3339(datetime.fromtimestamp(ms / 1000, UTC))
