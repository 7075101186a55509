"""La vida del proceso: abrir el puerto, servir hasta SIGTERM o SIGINT y salir sin dejar a nadie colgado."""

import asyncio
import errno
import signal
import sys

import structlog
from aiohttp import web

from ui.configuracion import Configuracion
from ui.ingesta import Fuente
from ui.servidor import crear_app

CIERRE_MAXIMO_S = 1.0

_registro = structlog.get_logger(__name__)


def correr(fuente: Fuente, configuracion: Configuracion) -> int:
    """Sirve hasta que se le pida parar; devuelve el código de salida (1 si no pudo abrir el puerto)."""
    return asyncio.run(_servir(fuente, configuracion))


async def _servir(fuente: Fuente, configuracion: Configuracion) -> int:
    parar = asyncio.Event()
    loop = asyncio.get_running_loop()
    for senal in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(senal, parar.set)

    ejecutor = web.AppRunner(crear_app(fuente, configuracion), access_log=None, shutdown_timeout=CIERRE_MAXIMO_S)
    await ejecutor.setup()
    try:
        try:
            await web.TCPSite(ejecutor, configuracion.ui_host, configuracion.ui_puerto).start()
        except OSError as error:
            sys.stderr.write(_explicar(error, configuracion) + "\n")
            return 1
        anfitrion, puerto = ejecutor.addresses[0][:2]
        _registro.info("pagina_lista", direccion=f"http://{anfitrion}:{puerto}")
        await parar.wait()
        _registro.info("deteniendo")
        return 0
    finally:
        await ejecutor.cleanup()


def _explicar(error: OSError, configuracion: Configuracion) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"El puerto {configuracion.ui_puerto} ya está en uso: libérelo o elija otro con UI_PUERTO."
    lugar = f"{configuracion.ui_host}:{configuracion.ui_puerto}"
    return f"No se pudo abrir {lugar} ({error.strerror or error}): revise UI_HOST y UI_PUERTO."
