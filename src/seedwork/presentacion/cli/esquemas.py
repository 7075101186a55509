"""`seedwork esquemas`: la puerta por la que un cambio incompatible no pasa, y el registro del broker."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path

import click

from seedwork.infraestructura.brokers import BrokerConEsquemas, conectar
from seedwork.infraestructura.configuracion import broker_del_entorno
from seedwork.infraestructura.publicados import (
    EsquemasIncompatibles,
    Falta,
    publicar,
    registros_de,
    revisiones_por_topico,
    verificar,
)
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
@click.option("--broker", metavar="URL", help="Dónde se registran; por defecto, el del entorno (BROKER_URL...).")
def mandato_publicar(paquetes: tuple[str, ...], broker: str | None) -> None:
    """Escribe el .avsc de lo nuevo, conserva el anterior y, si el broker es Pulsar, los registra en sus tópicos.

    No hace nada si algo no es compatible. Repetirlo tampoco.
    """
    registros = _registros(paquetes)
    try:
        escritos = publicar(registros)
    except EsquemasIncompatibles as error:
        _decir(error.faltas)
        raise click.ClickException("No se publicó nada") from error
    for ruta in escritos:
        click.echo(str(ruta.relative_to(Path.cwd()) if ruta.is_relative_to(Path.cwd()) else ruta))
    click.echo(f"{len(escritos)} publicados", err=True)
    asyncio.run(_registrar(registros, broker or broker_del_entorno()))


async def _registrar(registros: list[type], url: str) -> None:
    broker = conectar(url)
    try:
        if isinstance(broker, BrokerConEsquemas):
            por_topico = sorted(revisiones_por_topico(registros).items())
            nuevas = await asyncio.gather(*(broker.esquemas.registrar(*de_uno) for de_uno in por_topico))
            for (topico, revisiones), cuantas in zip(por_topico, nuevas, strict=True):
                click.echo(f"{topico}: {len(revisiones)} revisiones, {cuantas} nuevas", err=True)
    finally:
        await broker.cerrar()


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
