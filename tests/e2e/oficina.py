"""Un servidor SMTP de verdad en un hilo, que guarda lo que acepta y responde lo que la prueba quiera."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session


class Oficina:
    """`al_recibir` decide la respuesta a cada correo y puede esperar: corre en su propio hilo. Con 250 se acepta."""

    def __init__(self) -> None:
        self.puerto = 0
        self.recibidos: list[EmailMessage] = []
        self.al_recibir: Callable[[EmailMessage], str] = lambda _: "250 OK"

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.puerto}"

    @property
    def identidades(self) -> list[str]:
        return [str(correo["Message-ID"]) for correo in self.recibidos]

    async def handle_DATA(self, _servidor: SMTP, _sesion: Session, sobre: Envelope) -> str:  # noqa: N802 lo nombra aiosmtpd
        assert isinstance(sobre.content, bytes)
        correo = message_from_bytes(sobre.content, policy=policy.default)
        assert isinstance(correo, EmailMessage)
        respuesta = await asyncio.to_thread(self.al_recibir, correo)
        if respuesta.startswith("250"):
            self.recibidos.append(correo)
        return respuesta


@contextmanager
def abierta(oficina: Oficina | None = None) -> Iterator[Oficina]:
    """Abre la oficina en `oficina.puerto`, o en uno libre si es 0."""
    oficina = oficina or Oficina()
    abrir, cerrar = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def servir() -> None:
        loop = asyncio.get_running_loop()
        loops.append(loop)
        servidor = await loop.create_server(
            lambda: SMTP(oficina, hostname="oficina.example"), "127.0.0.1", oficina.puerto
        )
        oficina.puerto = servidor.sockets[0].getsockname()[1]
        abrir.set()
        await cerrar.wait()
        servidor.close()

    hilo = threading.Thread(target=asyncio.run, args=(servir(),))
    hilo.start()
    try:
        assert abrir.wait(10), "la oficina no pudo abrir"
        yield oficina
    finally:
        loops[0].call_soon_threadsafe(cerrar.set)
        hilo.join()
