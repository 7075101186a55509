"""Llevar a un hilo lo que bloquea, sin que el event loop lo note."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

R = TypeVar("R")


async def correr_en(hilos: ThreadPoolExecutor, funcion: Callable[..., R], *argumentos: object) -> R:
    """Corre `funcion` en uno de `hilos`, con el contexto de quien llama; sus errores salen tal cual."""

    def llamar() -> R:
        try:
            return funcion(*argumentos)
        except StopIteration as error:  # un Future no la admite: quien espera no despertaría nunca
            raise RuntimeError(f"{funcion!r} dejó escapar StopIteration") from error

    contexto = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(hilos, contexto.run, llamar)


async def entero(paso: Awaitable[R]) -> R:
    """Espera a que `paso` acabe aunque cancelen entretanto: lo que corre en un hilo no se puede interrumpir."""
    tarea = asyncio.ensure_future(paso)
    try:
        return await asyncio.shield(tarea)
    except asyncio.CancelledError:
        await asyncio.wait([tarea])
        raise
