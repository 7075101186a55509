"""El mandato `seedwork`: consumir, trabajar, decidir letras muertas y mirar qué hay. Un archivo por grupo."""

from __future__ import annotations

import click

from seedwork import __version__
from seedwork.presentacion.cli.consumo import consumir, trabajador
from seedwork.presentacion.cli.esquemas import esquemas
from seedwork.presentacion.cli.grupo import Grupo, correr
from seedwork.presentacion.cli.letras import letras_muertas
from seedwork.presentacion.cli.outbox import outbox
from seedwork.presentacion.cli.proyeccion import proyeccion
from seedwork.presentacion.cli.rutas import rutas
from seedwork.presentacion.cli.sagas import sagas

MANDATOS: list[click.Command] = [
    consumir,
    trabajador,
    letras_muertas,
    rutas,
    outbox,
    sagas,
    proyeccion,
    esquemas,
]


@click.group(cls=Grupo)
@click.option("--app", metavar="MODULO:OBJETO", help="La Mensajeria o el Sistema; por defecto, SEEDWORK_APP.")
@click.version_option(__version__, message="seedwork %(version)s", help="Dice la versión y sale.")
@click.pass_context
def seedwork(contexto: click.Context, app: str | None) -> None:
    """Corre y vigila los consumidores de una aplicación.

    Sale con 0 si todo fue bien, 1 si algo falló y 2 si se usó mal.
    """
    contexto.obj = app


for mandato in MANDATOS:
    seedwork.add_command(mandato)


def main() -> None:
    """El punto de entrada del mandato."""
    correr(seedwork)
