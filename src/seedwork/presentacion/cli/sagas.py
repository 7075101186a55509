"""`seedwork sagas`: por dónde va cada una, qué le pasó, y volver a poner en marcha la que se detuvo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click

from seedwork.aplicacion.sagas.maquina import EstadoSaga, SagaNoDetenida
from seedwork.aplicacion.sagas.seguimiento import ListarSagas, ObtenerSaga, ReanudarSaga, SagaConDiario, SagaDTO
from seedwork.dominio.excepciones import NoEncontrado
from seedwork.infraestructura.inquilinos import SinInquilino, en_nombre_de
from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.infraestructura.sistema import Sistema
from seedwork.presentacion.cli.carga import con_mensajeria
from seedwork.presentacion.cli.grupo import Grupo
from seedwork.presentacion.cli.salida import escribir_json, escribir_tabla, opcion_json

_opcion_saga = click.option("--saga", "nombre", metavar="NOMBRE", help="La saga, si la aplicación lleva varias.")
_opcion_inquilino = click.option("--inquilino", metavar="SCHEMA", help="De quién, donde hay un schema por inquilino.")


@click.group(cls=Grupo)
def sagas() -> None:
    """Lista, enseña o reanuda sagas."""


@sagas.command()
@click.option("--estado", type=click.Choice([str(estado) for estado in EstadoSaga]), help="Sólo las que están así.")
@click.option("--maximo", default=50, show_default="50", type=click.IntRange(1), help="Cuántas, a lo más.")
@_opcion_saga
@_opcion_inquilino
@opcion_json
@con_mensajeria
def listar(
    mensajeria: Mensajeria, estado: str | None, maximo: int, nombre: str | None, inquilino: str | None, en_json: bool
) -> None:
    """Lista las sagas, de la que cambió hace menos a la que hace más."""
    sistema = _con_sagas(mensajeria)
    if nombre is not None:
        _nombre(sistema, nombre)
    query = ListarSagas(saga=nombre, estado=EstadoSaga(estado) if estado else None, limite=maximo)
    with _como(inquilino):
        pagina = sistema.ejecutar(query)
    if en_json:
        escribir_json([asdict(saga) for saga in pagina.sagas])
        return
    columnas = ("clave", "saga", "versión", "estado", "va por", "motivo", "cambió")
    escribir_tabla("Sagas", columnas, [_fila(saga) for saga in pagina.sagas])
    mas = "; hay más: pida más con --maximo" if pagina.siguiente else ""
    click.echo(f"{len(pagina.sagas)} {'saga' if len(pagina.sagas) == 1 else 'sagas'}{mas}", err=True)


@sagas.command()
@click.argument("id")
@_opcion_saga
@_opcion_inquilino
@opcion_json
@con_mensajeria
def ver(mensajeria: Mensajeria, id: str, nombre: str | None, inquilino: str | None, en_json: bool) -> None:
    """Enseña una saga: sus pasos y su diario."""
    sistema = _con_sagas(mensajeria)
    with _como(inquilino):
        _mostrar(_obtener(sistema, _nombre(sistema, nombre), id), en_json)


@sagas.command()
@click.argument("id")
@_opcion_saga
@_opcion_inquilino
@opcion_json
@con_mensajeria
def reanudar(mensajeria: Mensajeria, id: str, nombre: str | None, inquilino: str | None, en_json: bool) -> None:
    """Vuelve a intentar la compensación que detuvo a una saga; la manda el trabajador que esté en marcha."""
    sistema = _con_sagas(mensajeria)
    saga = _nombre(sistema, nombre)
    with _como(inquilino):
        try:
            sistema.ejecutar(ReanudarSaga(saga=saga, clave=id))
        except (NoEncontrado, SagaNoDetenida) as error:
            raise click.ClickException(str(error)) from error
        _mostrar(_obtener(sistema, saga, id), en_json)


def _obtener(sistema: Sistema, saga: str, clave: str) -> SagaConDiario:
    try:
        return sistema.ejecutar(ObtenerSaga(saga=saga, clave=clave))
    except NoEncontrado as error:
        raise click.ClickException(str(error)) from error


def _mostrar(vista: SagaConDiario, en_json: bool) -> None:
    if en_json:
        escribir_json({**asdict(vista.saga), "diario": [asdict(nota) for nota in vista.diario]})
        return
    saga = vista.saga
    click.echo(f"{saga.saga} de {saga.clave} (versión {saga.version}): {saga.estado}")
    if saga.motivo:
        click.echo(f"Motivo: {saga.motivo}")
    pasos: list[list[Any]] = [[paso.comando, paso.estado, paso.compensacion] for paso in saga.pasos]
    escribir_tabla("Pasos", ("paso", "estado", "compensación"), pasos)
    notas = [[nota.fecha, nota.que, nota.mensaje, nota.detalle, nota.id_mensaje] for nota in vista.diario]
    escribir_tabla("Diario", ("fecha", "qué", "mensaje", "detalle", "id del mensaje"), notas)


def _fila(saga: SagaDTO) -> list[object]:
    en_curso = [paso.comando for paso in saga.pasos if paso.estado in ("PEDIDO", "COMPENSANDO")]
    cambio = saga.fecha_actualizacion.isoformat(sep=" ", timespec="seconds")
    return [saga.clave, saga.saga, saga.version, saga.estado, ", ".join(en_curso), saga.motivo, cambio]


def _con_sagas(mensajeria: Mensajeria) -> Sistema:
    if mensajeria.bus is None or not mensajeria.bus.sagas:
        raise click.UsageError("Esta aplicación no lleva ninguna saga")
    return mensajeria.bus


def _nombre(sistema: Sistema, nombre: str | None) -> str:
    """El nombre que se dio, si existe; o el de la única que hay."""
    hay = list(sistema.sagas.vigentes)
    if nombre is None and len(hay) == 1:
        return hay[0]
    if nombre not in hay:
        cual = "Diga cuál, con `--saga`" if nombre is None else f"No hay ninguna saga {nombre!r}"
        raise click.UsageError(f"{cual}: las que hay son {', '.join(hay)}")
    return nombre


@contextmanager
def _como(inquilino: str | None) -> Iterator[None]:
    try:
        with en_nombre_de(schema=inquilino):
            yield
    except SinInquilino as error:
        raise click.UsageError("Cada inquilino tiene sus sagas: diga cuál, con `--inquilino`") from error
