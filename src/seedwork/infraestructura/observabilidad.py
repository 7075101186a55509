"""Cómo se escriben los registros de un proceso."""

from __future__ import annotations

import logging
import sys

import structlog


def configurar_registro(*, json: bool = False) -> None:
    """Una línea por suceso en la salida de errores: legible, o en JSON para quien las recoja."""
    comunes: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    presentar: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*comunes, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    salida = logging.StreamHandler(sys.stderr)
    salida.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=comunes,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([structlog.processors.format_exc_info] if json else []),
                presentar,
            ],
        )
    )
    raiz = logging.getLogger()
    raiz.handlers[:] = [salida]
    raiz.setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # cuenta cada paso de cada migración, en cada arranque
