"""`seedwork consumir` y `seedwork trabajador`: los consumidores como procesos."""

from __future__ import annotations

import click
import structlog

from seedwork.infraestructura.brokers import compilar_patrones
from seedwork.infraestructura.declaracion import Consumidor, con_suscripcion
from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.presentacion.cli.carga import con_mensajeria
from seedwork.presentacion.cli.grupo import Mandato


@click.command(cls=Mandato)
@click.argument("topicos", nargs=-1, metavar="TOPICO...")
@click.option("--topic", "tambien", multiple=True, metavar="TOPICO", help="Otra forma de decir un tópico; se repite.")
@click.option("--todos", is_flag=True, help="Todos los consumidores, salvo los declarados con auto_start=False.")
@con_mensajeria
def consumir(mensajeria: Mensajeria, topicos: tuple[str, ...], tambien: tuple[str, ...], todos: bool) -> None:
    """Corre los consumidores de esos tópicos, hasta SIGTERM o Ctrl-C.

    Un consumidor corre entero, con todos sus tópicos; si se nombra alguno, corre aunque sea auto_start=False. Con base
    de datos publica también lo que espere en su outbox.
    """
    nombrados = (*topicos, *tambien)
    if bool(nombrados) == todos:
        raise click.UsageError("Diga uno o más tópicos, o `--todos`")
    if todos:
        elegidos = [consumidor for consumidor in mensajeria.consumidores if consumidor.auto_start]
        if not elegidos:
            raise click.UsageError("La aplicación no tiene consumidores que arranquen solos")
    else:
        elegidos = _de_topicos(mensajeria, nombrados)
    _correr(mensajeria, elegidos)


@click.command(cls=Mandato)
@click.option("--modulo", metavar="NOMBRE", help="Sólo los consumidores de ese módulo.")
@con_mensajeria
def trabajador(mensajeria: Mensajeria, modulo: str | None) -> None:
    """Corre el relay del outbox y los consumidores, todos o los de un módulo, hasta SIGTERM o Ctrl-C."""
    elegidos = [consumidor for consumidor in mensajeria.consumidores if consumidor.auto_start]
    if modulo is not None:
        propias = _suscripciones_de(mensajeria, modulo)
        elegidos = [consumidor for consumidor in elegidos if consumidor.suscripcion in propias]
    _correr(mensajeria, elegidos)


def _correr(mensajeria: Mensajeria, elegidos: list[Consumidor]) -> None:
    suscripciones = [consumidor.suscripcion or "" for consumidor in elegidos]
    registro = structlog.get_logger("seedwork.cli")
    mensajeria.elegir(suscripciones)
    mensajeria.run(al_estar_lista=lambda: registro.info("trabajador.listo", suscripciones=suscripciones))


def _de_topicos(mensajeria: Mensajeria, topicos: tuple[str, ...]) -> list[Consumidor]:
    elegidos: list[Consumidor] = []
    for topico in topicos:
        suyos = [consumidor for consumidor in mensajeria.consumidores if _escucha(consumidor, topico)]
        if not suyos:
            hay = sorted({declarado for consumidor in mensajeria.consumidores for declarado in consumidor.topicos})
            raise click.UsageError(f"Nadie consume {topico!r}; hay consumidores de: {', '.join(hay) or 'nada'}")
        elegidos += [consumidor for consumidor in suyos if consumidor not in elegidos]
    return elegidos


def _escucha(consumidor: Consumidor, topico: str) -> bool:
    return topico in consumidor.topicos or compilar_patrones(consumidor.topicos)(topico)


def _suscripciones_de(mensajeria: Mensajeria, nombre: str) -> set[str | None]:
    modulos = {} if mensajeria.bus is None else {modulo.nombre: modulo for modulo in mensajeria.bus.modulos}
    if nombre not in modulos:
        raise click.UsageError(f"No hay módulo {nombre!r}; hay: {', '.join(modulos) or 'ninguno'}")
    return {con_suscripcion(declarado, mensajeria.servicio).suscripcion for declarado in modulos[nombre].consumidores}
