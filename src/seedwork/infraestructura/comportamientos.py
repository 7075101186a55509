"""Comportamientos para `bootstrap(comportamientos=[...])`, y el reintento de lo que pierde el bloqueo optimista."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import stamina
import structlog

from seedwork.aplicacion.bus import Intentos
from seedwork.aplicacion.firmas import nombre_de
from seedwork.dominio.excepciones import ConflictoConcurrencia
from seedwork.infraestructura.base_datos import ESPERA_BLOQUEO_MS, BaseOcupada

_log = structlog.get_logger(__name__)


def reintentar_conflictos(maximo: int = 3) -> Intentos:
    """Hasta `maximo` intentos, separados unas centésimas de segundo, al azar, de lo que otra transacción haga perder.

    Es decir: un bloqueo optimista, un interbloqueo, un fallo de serialización o una base ocupada. Quien ya esperó
    `ESPERA_BLOQUEO_MS` no empieza de nuevo.
    """
    return stamina.retry_context(
        on=(ConflictoConcurrencia, BaseOcupada),
        attempts=maximo,
        timeout=ESPERA_BLOQUEO_MS / 1000,
        wait_initial=0.01,
        wait_max=0.2,
        wait_jitter=0.03,
    )


@contextmanager
def registrar(mensaje: Any) -> Iterator[None]:
    """Una línea de registro por comando o query, con lo que tardó en milisegundos y el error si falló."""
    desde = time.perf_counter()
    error: str | None = None
    try:
        yield
    except Exception as fallo:
        error = f"{type(fallo).__name__}: {fallo}"
        raise
    finally:
        _log.info(
            "bus.ejecutado",
            mensaje=nombre_de(type(mensaje)),
            duracion_ms=round((time.perf_counter() - desde) * 1000, 3),
            error=error,
        )


def trazar(mensaje: Any) -> AbstractContextManager[Any]:
    """Un span de OpenTelemetry por comando o query, hijo del que haya en curso; necesita opentelemetry-api."""
    from opentelemetry import trace

    return trace.get_tracer("seedwork").start_as_current_span(nombre_de(type(mensaje)))
