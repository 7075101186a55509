"""Qué se hace con el error de un handler de tras confirmar: lanzarlo, o registrarlo y avisar a Sentry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from seedwork.aplicacion.bus import AlFallarEvento
from seedwork.aplicacion.firmas import ErrorDeArranque, nombre_de

_log = structlog.get_logger(__name__)
_CON_SENTRY = ("alpha", "production")


def segun_entorno(entorno: Mapping[str, str], *, subir: bool) -> AlFallarEvento | None:
    """None si el error se lanza (`subir`, o `TEST_ENV=true`); si no, quien lo registra.

    Con `ENV_CONFIG` alpha o production, además lo envía a Sentry: al cliente que la aplicación haya iniciado o, si no
    hay ninguno, al de `SENTRY_DSN`. Lanza `ErrorDeArranque` si hay `SENTRY_DSN` y no está instalado sentry-sdk.
    """
    if subir or entorno.get("TEST_ENV", "").lower() == "true":
        return None
    ambiente = entorno.get("ENV_CONFIG", "").lower()
    return _con_sentry(ambiente, entorno.get("SENTRY_DSN")) if ambiente in _CON_SENTRY else _registrar


def _registrar(evento: Any, handler: str, error: Exception) -> None:
    _log.error("bus.evento_fallido", evento=repr(evento), handler=handler, exc_info=error)


def _con_sentry(ambiente: str, dsn: str | None) -> AlFallarEvento:
    try:
        import sentry_sdk
    except ModuleNotFoundError as error:
        if dsn is None:
            return _registrar
        raise ErrorDeArranque("SENTRY_DSN pide sentry-sdk: pip install aeroalpes-seedwork[sentry]") from error
    if dsn is not None and not sentry_sdk.is_initialized():
        try:
            sentry_sdk.init(dsn=dsn, environment=ambiente)
        except sentry_sdk.utils.BadDsn as error:
            raise ErrorDeArranque(f"SENTRY_DSN no se entiende: {error}") from error

    def enviar(evento: Any, handler: str, error: Exception) -> None:
        with sentry_sdk.new_scope() as ambito:
            ambito.set_tag("evento", nombre_de(type(evento)))
            ambito.set_tag("handler", handler)
            ambito.set_extra("evento", repr(evento))
            ambito.capture_exception(error)
        _registrar(evento, handler, error)  # después: Sentry reconoce que ya lo tiene y no lo cuenta dos veces

    return enviar
