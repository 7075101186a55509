"""`seedwork esquemas`: la puerta por la que un cambio incompatible no pasa."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from seedwork.infraestructura.publicados import EsquemasIncompatibles, Falta, publicar, registros_de, verificar
from seedwork.presentacion.cli.grupo import FALLO, Grupo
from seedwork.presentacion.cli.salida import escribir_json, opcion_json

_paquetes = click.argument("paquetes", nargs=-1, required=True, metavar="PAQUETE...")


@click.group(cls=Grupo)
def esquemas() -> None:
    """Comprueba y publica los esquemas de los mensajes."""


@esquemas.command("verificar")
@_paquetes
@opcion_json
def mandato_verificar(paquetes: tuple[str, ...], en_json: bool) -> None:
    """Falla si un esquema no se publicó, si uno publicado cambió o falta, o si dos revisiones no se entienden."""
    registros = _registros(paquetes)
    try:
        faltas = verificar(registros)
    except EsquemasIncompatibles as error:
        faltas = error.faltas
    if en_json:
        escribir_json([asdict(falta) for falta in faltas])
    else:
        _decir(faltas)
        click.echo(f"{len(registros)} esquemas, {len(faltas)} faltas", err=True)
    if faltas:
        sys.exit(FALLO)


@esquemas.command("publicar")
@_paquetes
def mandato_publicar(paquetes: tuple[str, ...]) -> None:
    """Escribe el .avsc de lo nuevo o cambiado y conserva el anterior; nada si algo no es compatible."""
    try:
        escritos = publicar(_registros(paquetes))
    except EsquemasIncompatibles as error:
        _decir(error.faltas)
        raise click.ClickException("No se publicó nada") from error
    for ruta in escritos:
        click.echo(str(ruta.relative_to(Path.cwd()) if ruta.is_relative_to(Path.cwd()) else ruta))
    click.echo(f"{len(escritos)} publicados", err=True)


def _registros(paquetes: tuple[str, ...]) -> list[type]:
    if (aqui := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, aqui)
    try:
        registros = registros_de(paquetes)
    except ModuleNotFoundError as error:
        raise click.UsageError(f"No se encuentra {error.name!r}") from error
    if not registros:
        raise click.UsageError(f"No hay mensajes de integración en los schema/vN de {', '.join(paquetes)}")
    return registros


def _decir(faltas: list[Falta]) -> None:
    for falta in faltas:
        click.echo(f"{falta.esquema}: {falta.regla}: {falta.detalle}")
