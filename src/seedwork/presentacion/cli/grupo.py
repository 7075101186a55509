"""La forma común de los mandatos: ayuda y errores en español, y un código de salida por clase de final."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
import structlog

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.brokers import ErrorBroker
from seedwork.infraestructura.observabilidad import configurar_registro

FALLO, MAL_USO = 1, 2


class _EnEspanol(click.Command):
    def __init__(self, *argumentos: Any, **opciones: Any) -> None:
        opciones.setdefault("options_metavar", "[OPCIONES]")
        super().__init__(*argumentos, **opciones)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix="Uso: ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        propias = [parametro for parametro in self.get_params(ctx) if isinstance(parametro, click.Option)]
        opciones = [fila for opcion in propias if (fila := opcion.get_help_record(ctx)) is not None]
        with formatter.section("Opciones"):
            formatter.write_dl(opciones)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        opcion = super().get_help_option(ctx)
        if opcion is not None:
            opcion.help = "Muestra esta ayuda y sale."
        return opcion


class Mandato(_EnEspanol):
    """Un mandato suelto."""


class Grupo(_EnEspanol, click.Group):
    """Un mandato con mandatos dentro."""

    command_class = Mandato

    def __init__(self, *argumentos: Any, **opciones: Any) -> None:
        opciones.setdefault("subcommand_metavar", "MANDATO [OPCIONES]...")
        super().__init__(*argumentos, **opciones)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _EnEspanol.format_options(self, ctx, formatter)
        with formatter.section("Mandatos"):
            formatter.write_dl([(nombre, self.commands[nombre].get_short_help_str(100)) for nombre in self.commands])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not args[0].startswith("-"):
            ctx.fail(f"No existe el mandato {args[0]!r}; los que hay son {', '.join(self.commands)}")
        return super().resolve_command(ctx, args)


Grupo.group_class = Grupo


def correr(raiz: Callable[..., Any]) -> None:
    """Corre el mandato y termina el proceso: 0 si fue bien, 1 si falló, 2 si se usó mal, con una frase que lo dice."""
    if not structlog.is_configured():
        configurar_registro()  # a la salida de errores: la otra es para quien lee el resultado
    try:
        sys.exit(raiz(prog_name="seedwork", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        _terminar(error.format_message(), MAL_USO)
    except click.UsageError as error:
        uso = f"{error.ctx.get_usage()}\n\n" if error.ctx is not None else ""
        _terminar(f"{uso}Error: {_frase(error)}", MAL_USO)
    except click.ClickException as error:
        _terminar(f"Error: {error.format_message()}", FALLO)
    except (ErrorDeArranque, ErrorBroker) as error:
        _terminar(f"Error: {error}", FALLO)
    except (click.Abort, KeyboardInterrupt):
        _terminar("Interrumpido", FALLO)


def _terminar(frase: str, codigo: int) -> None:
    click.echo(frase, err=True)
    sys.exit(codigo)


def _frase(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption):
        return f"No existe la opción {error.option_name}"
    if isinstance(error, click.MissingParameter):
        return f"Falta {error.param.get_error_hint(error.ctx)}" if error.param and error.ctx else "Falta un argumento"
    if isinstance(error, click.BadParameter) and error.param is not None and error.ctx is not None:
        return f"{error.param.get_error_hint(error.ctx)}: {error.message}"
    return error.message
