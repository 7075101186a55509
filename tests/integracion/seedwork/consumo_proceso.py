"""Programas que consumen por su cuenta: `NOMBRE URL BASE DIARIO`; los mensajes son `{"id": n}`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.orm import Session

from seedwork import Mensajeria, Reintentos
from seedwork.infraestructura.brokers.embebido import almacen, broker

almacen.VIDA_S = broker.VIDA_S = 1.0  # para que la muerte de un proceso se note pronto


class Pedido(BaseModel):
    id: int


def anotar(diario: str, nota: object) -> None:
    with Path(diario).open("a") as archivo:
        archivo.write(f"{nota}\n")


def listo() -> None:
    sys.stdout.write("listo\n")
    sys.stdout.flush()


def lento(mensajeria: Mensajeria, diario: str) -> None:
    @mensajeria.on_event("pedido", concurrencia=4)
    async def atender(pedido: Pedido) -> None:
        anotar(diario, f"empieza {pedido.id}")
        await asyncio.sleep(0.05)
        anotar(diario, f"termina {pedido.id}")


def lento_en_hilo(mensajeria: Mensajeria, diario: str) -> None:
    import time

    @mensajeria.on_event("pedido", concurrencia=4)
    def atender(pedido: Pedido) -> None:
        anotar(diario, f"empieza {pedido.id}")
        time.sleep(0.05)
        anotar(diario, f"termina {pedido.id}")


def envenenado(mensajeria: Mensajeria, diario: str) -> None:
    """El pedido 13 se lleva al proceso por delante, cuando sus vecinos ya empezaron."""

    @mensajeria.on_event("pedido", reintentos=Reintentos(maximo=0))
    async def atender(pedido: Pedido) -> None:
        anotar(diario, f"empieza {pedido.id}")
        await asyncio.sleep(0.1)
        if pedido.id == 13:
            os._exit(13)
        await asyncio.sleep(0.1)
        anotar(diario, f"termina {pedido.id}")


def se_mata_tras_confirmar(mensajeria: Mensajeria, diario: str) -> None:
    """La primera vez muere entre la confirmación de la transacción y el acuse al broker."""

    @mensajeria.on_event("pedido")
    def atender(pedido: Pedido, db: Session) -> list[dict[str, Any]]:
        anotar(diario, f"empieza {pedido.id}")
        db.execute(text("CREATE TABLE IF NOT EXISTS efectos (id INTEGER)"))
        db.execute(text("INSERT INTO efectos VALUES (:id)"), {"id": pedido.id})
        return [{"name": "hecho", "payload": {"id": pedido.id}}]

    if not Path(diario).exists():

        def morir(*_: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        almacen.Almacen.confirmar = morir  # type: ignore[method-assign,assignment]


def main(nombre: str, url: str, base: str, diario: str) -> None:
    mensajeria = Mensajeria(url, base_datos=base or None, servicio="s")
    globals()[nombre](mensajeria, diario)
    mensajeria.run(al_estar_lista=listo)


if __name__ == "__main__":
    main(*sys.argv[1:])
