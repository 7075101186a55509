"""De `modulo:objeto` a la `Mensajeria` que nombra, o un error que dice qué tiene de malo."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.configuracion import leer_entorno
from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.infraestructura.sistema import Sistema

VARIABLE = "SEEDWORK_APP"


def con_mensajeria(mandato: Callable[..., Any]) -> Callable[..., Any]:
    """Da al mandato, como primer argumento, la mensajería de `--app` o de SEEDWORK_APP; su base se cierra al final."""

    @click.pass_context
    @functools.wraps(mandato)
    def llamar(contexto: click.Context, *argumentos: Any, **opciones: Any) -> Any:
        mensajeria = cargar(contexto.find_root().obj or leer_entorno().get(VARIABLE))
        if mensajeria.bus is not None:
            contexto.call_on_close(mensajeria.bus.cerrar)
        return mandato(mensajeria, *argumentos, **opciones)

    return llamar


def cargar(referencia: str | None) -> Mensajeria:
    """La mensajería de `modulo:objeto`; el módulo se busca también en la carpeta actual.

    Lanza `click.UsageError` si la referencia está mal, y `click.ClickException` si su código falla.
    """
    if not referencia:
        raise click.UsageError(f"Diga qué aplicación, con `--app modulo:objeto` o con {VARIABLE}")
    modulo, separador, nombre = referencia.partition(":")
    if not separador or not modulo or not nombre:
        raise click.UsageError(f"{referencia!r} no es `modulo:objeto`, como `pedidos:mensajeria`")
    objeto: Any = _importar(modulo)
    for parte in nombre.split("."):
        try:
            objeto = getattr(objeto, parte)
        except AttributeError:
            raise click.UsageError(f"En {modulo!r} no hay {nombre!r}") from None
    return _a_mensajeria(objeto, referencia)


def _importar(nombre: str) -> ModuleType:
    if (aqui := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, aqui)
    try:
        return importlib.import_module(nombre)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{nombre}.".startswith(f"{error.name}."):
            raise click.UsageError(f"No se encuentra el módulo {error.name!r}, tampoco en {aqui}") from None
        raise _fallo(f"Al importar {nombre!r}", error) from error
    except (ErrorDeArranque, SystemExit):
        raise
    except Exception as error:
        raise _fallo(f"Al importar {nombre!r}", error) from error


def _a_mensajeria(objeto: Any, referencia: str) -> Mensajeria:
    if not isinstance(objeto, Mensajeria | Sistema) and callable(objeto):
        try:
            inspect.signature(objeto).bind()
        except TypeError as error:
            raise click.UsageError(f"{referencia!r} no se puede llamar sin argumentos: {error}") from error
        except ValueError:
            pass  # hay objetos sin firma a la vista
        try:
            objeto = objeto()
        except ErrorDeArranque:
            raise
        except Exception as error:
            raise _fallo(f"Al llamar a {referencia!r}", error) from error
        referencia = f"Lo que devuelve {referencia!r}"
    else:
        referencia = repr(referencia)
    if inspect.iscoroutine(objeto):
        objeto.close()
        raise click.UsageError(f"{referencia} es una corrutina: la función debe ser `def`")
    if isinstance(objeto, Sistema):
        return Mensajeria(bus=objeto)
    if not isinstance(objeto, Mensajeria):
        raise click.UsageError(f"{referencia} es {type(objeto).__name__}, y debe ser una Mensajeria o un Sistema")
    return objeto


def _fallo(donde: str, error: Exception) -> click.ClickException:
    return click.ClickException(f"{donde} falló:\n\n{''.join(traceback.format_exception(error))}")
