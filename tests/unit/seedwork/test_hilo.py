"""La mensajería en un hilo: quien le pide algo se entera de por qué murió."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from seedwork.infraestructura.hilo import MensajeriaEnHilo


class MensajeriaQueMuere:
    """Vive hasta que se le dice, y muere con una frase."""

    def __init__(self) -> None:
        self.morir = threading.Event()

    async def servir(self) -> None:
        while not self.morir.is_set():
            await asyncio.sleep(0.01)
        raise RuntimeError("broker.db no es un broker")

    def pedir_parada(self) -> None:
        self.morir.set()


def test_lo_pedido_a_una_mensajeria_que_muere_entretanto_dice_de_que_murio() -> None:
    mensajeria: Any = MensajeriaQueMuere()
    en_hilo = MensajeriaEnHilo(mensajeria)
    pedido = threading.Event()

    async def no_acaba() -> None:
        pedido.set()
        await asyncio.Event().wait()

    with ThreadPoolExecutor(1) as hilos:
        respuesta = hilos.submit(en_hilo.pedir, no_acaba, 10)
        assert pedido.wait(5)
        mensajeria.morir.set()
        with pytest.raises(RuntimeError, match=r"broker\.db no es un broker"):
            respuesta.result(10)
    with pytest.raises(RuntimeError, match=r"broker\.db no es un broker"):
        en_hilo.pedir(no_acaba, 1)
