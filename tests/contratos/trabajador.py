"""Un consumidor lento como proceso: `URL SERVICIO TOPICO DIARIO`; los mensajes son `{"id": n}`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pydantic import BaseModel

from seedwork import Mensajeria


class Trabajo(BaseModel):
    id: int


def main(url: str, servicio: str, topico: str, diario: str) -> None:
    mensajeria = Mensajeria(url, servicio=servicio)

    def anotar(que: str, id: int) -> None:
        with Path(diario).open("a") as archivo:
            archivo.write(f"{que} {id}\n")

    @mensajeria.on_event(topico, use_case_name="trabajar", concurrencia=4)
    async def trabajar(trabajo: Trabajo) -> None:
        anotar("empieza", trabajo.id)
        await asyncio.sleep(0.05)
        anotar("termina", trabajo.id)

    mensajeria.run(al_estar_lista=lambda: sys.stdout.write("listo\n") and sys.stdout.flush())


if __name__ == "__main__":
    main(*sys.argv[1:])
