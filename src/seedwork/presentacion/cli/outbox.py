"""`seedwork outbox`: lo que espera para salir, lo que no puede, y lo ya publicado que se puede borrar."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
from sqlalchemy import Engine

from seedwork.infraestructura.mantenimiento import estado, purgar
from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.presentacion.cli.carga import con_mensajeria
from seedwork.presentacion.cli.grupo import Grupo
from seedwork.presentacion.cli.salida import barra, escribir_json, escribir_tabla, opcion_json


@click.group(cls=Grupo)
def outbox() -> None:
    """Mira y limpia el outbox."""


@outbox.command("estado")
@opcion_json
@con_mensajeria
def mandato_estado(mensajeria: Mensajeria, en_json: bool) -> None:
    """Dice cuánto espera, hace cuánto, qué está estacionado y por qué, y qué relay lleva cada carril."""
    with _motor(mensajeria).connect() as conexion:
        leido = estado(conexion)
    if en_json:
        escribir_json(asdict(leido))
        return
    click.echo(f"Pendientes    {leido.pendientes}")
    click.echo(f"Atraso        {leido.atraso_ms / 1000:.1f} s")
    click.echo(f"Estacionados  {len(leido.estacionados)}")
    click.echo(f"Publicados    {leido.publicados}")
    filas: list[list[Any]] = [[e.id, e.topico, e.clave, e.motivo] for e in leido.estacionados]
    escribir_tabla("Estacionados", ("id", "topico", "clave", "motivo"), filas)
    relays = [[dueno or "(nadie)", carriles] for dueno, carriles in leido.relays.items()]
    escribir_tabla("Relays", ("relay", "carriles"), relays)


@outbox.command("purgar")
@click.option("--dias", default=1.0, show_default="1", type=click.FloatRange(0), help="Lo publicado hace más de esto.")
@con_mensajeria
def mandato_purgar(mensajeria: Mensajeria, dias: float) -> None:
    """Borra lo publicado hace tiempo, por lotes que no estorban a quien escribe."""
    borradas = 0
    with barra("Purgando") as progreso:
        (tarea,) = progreso.task_ids
        for total, borradas in purgar(_motor(mensajeria), antiguedad_s=dias * 24 * 3600):
            progreso.update(tarea, total=total, completed=borradas)
    click.echo(f"{borradas} borrados")


def _motor(mensajeria: Mensajeria) -> Engine:
    if mensajeria.bus is None or mensajeria.bus.motor is None:
        raise click.UsageError("Esta aplicación no tiene base de datos: no hay outbox")
    return mensajeria.bus.motor
