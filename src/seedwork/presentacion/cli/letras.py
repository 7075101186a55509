"""`seedwork letras-muertas`: lo apartado, por suscripción, hasta que alguien decide."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import click

from seedwork.infraestructura.brokers import Broker, LetrasMuertas, conectar
from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.presentacion.cli.carga import con_mensajeria
from seedwork.presentacion.cli.grupo import Grupo
from seedwork.presentacion.cli.salida import barra, escribir_json, escribir_tabla, opcion_json
from seedwork.presentacion.letras import entera, resumen

T = TypeVar("T")
_LOTE = 1000


def _cuales(mandato: Callable[..., Any]) -> Callable[..., Any]:
    for parametro in (
        opcion_json,
        click.option("--todas", is_flag=True, help="Todas, de todas las suscripciones."),
        click.option("--suscripcion", metavar="NOMBRE", help="Todas las de una suscripción."),
        click.argument("ids", nargs=-1, metavar="[ID]..."),
    ):
        mandato = parametro(mandato)
    return mandato


@click.group("letras-muertas", cls=Grupo)
def letras_muertas() -> None:
    """Lista, enseña, reenvía o descarta lo que no se pudo procesar."""


@letras_muertas.command()
@click.option("--suscripcion", metavar="NOMBRE", help="Sólo las de una suscripción.")
@click.option("--maximo", default=100, show_default="100", type=click.IntRange(1), help="Cuántas, a lo más.")
@opcion_json
@con_mensajeria
def listar(mensajeria: Mensajeria, suscripcion: str | None, maximo: int, en_json: bool) -> None:
    """Lista las letras muertas, de la más vieja a la más nueva de cada suscripción."""
    letras = _con_letras(mensajeria, lambda letras: letras.listar(suscripcion, maximo=maximo))
    resumenes = [resumen(letra) for letra in letras]
    if en_json:
        escribir_json(resumenes)
        return
    columnas = ("id", "suscripcion", "topico", "clave", "intentos", "fecha", "motivo")
    escribir_tabla("Letras muertas", columnas, [[fila[columna] for columna in columnas] for fila in resumenes])
    mas = "; puede haber más: pida más con --maximo" if len(letras) == maximo else ""
    click.echo(f"{_cuantas(len(letras))}{mas}", err=True)


@letras_muertas.command()
@click.argument("id")
@opcion_json
@con_mensajeria
def ver(mensajeria: Mensajeria, id: str, en_json: bool) -> None:
    """Enseña una letra muerta entera: motivo, cabeceras, lo que dice si se conoce su esquema, y su cuerpo intacto."""

    async def abierta(broker: Broker) -> dict[str, Any] | None:
        letra = await broker.letras_muertas.ver(id)
        return None if letra is None else await entera(letra, mensajeria, broker)

    vista = _con_broker(mensajeria, abierta)
    if vista is None:
        raise click.ClickException(f"No hay letra muerta {id!r}")
    if en_json:
        escribir_json(vista)
        return
    if "datos" in vista:
        vista["datos"] = json.dumps(vista["datos"], ensure_ascii=False, indent=2)
    for nombre, valor in vista.items():
        lineas = [f"{clave}: {texto}" for clave, texto in valor.items()] if isinstance(valor, dict) else [valor]
        click.echo(f"{nombre}: " + "\n  ".join(["", *lineas] if isinstance(valor, dict) else [str(valor)]))


@letras_muertas.command()
@_cuales
@con_mensajeria
def reenviar(mensajeria: Mensajeria, ids: tuple[str, ...], suscripcion: str | None, todas: bool, en_json: bool) -> None:
    """Devuelve letras muertas a su suscripción, y a ninguna otra."""
    _decidir(mensajeria, "reenviada", lambda letras: letras.reenviar, ids, suscripcion, todas, en_json)


@letras_muertas.command()
@_cuales
@click.option("--si", is_flag=True, help="No pregunta antes de descartar varias.")
@con_mensajeria
def descartar(
    mensajeria: Mensajeria, ids: tuple[str, ...], suscripcion: str | None, todas: bool, en_json: bool, si: bool
) -> None:
    """Borra letras muertas para siempre."""
    if not ids and (suscripcion or todas) and not si:
        if not sys.stdin.isatty():
            raise click.UsageError("Para descartar varias sin que se pregunte, diga `--si`")
        click.confirm(
            f"¿Descartar para siempre las de {suscripcion or 'todas las suscripciones'}?", abort=True, err=True
        )
    _decidir(mensajeria, "descartada", lambda letras: letras.descartar, ids, suscripcion, todas, en_json)


def _decidir(
    mensajeria: Mensajeria,
    hecho: str,
    decision: Callable[[LetrasMuertas], Callable[[str], Awaitable[bool]]],
    ids: tuple[str, ...],
    suscripcion: str | None,
    todas: bool,
    en_json: bool,
) -> None:
    if [bool(ids), suscripcion is not None, todas].count(True) != 1:
        raise click.UsageError("Diga qué letras: sus id, `--suscripcion NOMBRE` o `--todas`")

    async def correr(letras: LetrasMuertas) -> tuple[list[str], list[str]]:
        hechas: list[str] = []
        faltan: list[str] = []
        with barra(f"Letras {hecho}s") as progreso:
            tarea, total = progreso.task_ids[0], 0
            async for lote in _lotes(letras, ids, suscripcion):
                total += len(lote)
                progreso.update(tarea, total=total)
                for id in lote:
                    (hechas if await decision(letras)(id) else faltan).append(id)
                    progreso.advance(tarea)
        return hechas, faltan

    hechas, faltan = _con_letras(mensajeria, correr)
    if en_json:
        escribir_json({f"{hecho}s": hechas, "no_estaban": faltan})
    else:
        click.echo(f"{_cuantas(len(hechas))} {hecho}" + ("" if len(hechas) == 1 else "s"))
    if ids and faltan:
        raise click.ClickException(f"No hay letra muerta {', '.join(map(repr, faltan))}")


async def _lotes(letras: LetrasMuertas, ids: tuple[str, ...], suscripcion: str | None) -> AsyncIterator[list[str]]:
    """Los id por decidir. Lo que vuelva a morir entretanto no cuenta: reenviarlo otra vez no acabaría nunca."""
    if ids:
        yield list(dict.fromkeys(ids))
        return
    hasta_ms, vistas = ahora_ms(), set[str]()
    while True:
        pagina = await letras.listar(suscripcion, maximo=_LOTE)
        lote = [letra.id for letra in pagina if letra.fecha_ms <= hasta_ms and letra.id not in vistas]
        if not lote:
            return
        vistas.update(lote)
        yield lote


def _con_letras(mensajeria: Mensajeria, funcion: Callable[[LetrasMuertas], Coroutine[Any, Any, T]]) -> T:
    return _con_broker(mensajeria, lambda broker: funcion(broker.letras_muertas))


def _con_broker(mensajeria: Mensajeria, funcion: Callable[[Broker], Coroutine[Any, Any, T]]) -> T:
    async def correr() -> T:
        broker = conectar(mensajeria.url)
        try:
            return await funcion(broker)
        finally:
            await broker.cerrar()

    return asyncio.run(correr())


def _cuantas(n: int) -> str:
    return f"{n} letra muerta" if n == 1 else f"{n} letras muertas"
