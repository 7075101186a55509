"""Un proceso que toma mensajes y no responde por ellos: `URL SUSCRIPCION TOPICO CUANTOS INICIADOS`."""

from __future__ import annotations

import asyncio
import sys

from tests.contratos.banco import tomar

from seedwork.infraestructura.brokers import conectar


async def main(url: str, nombre: str, topico: str, cuantos: int, iniciados: int) -> None:
    suscripcion = await conectar(url).suscribir(nombre, [topico])
    entregas = await tomar(suscripcion, cuantos)
    for entrega in entregas[:iniciados]:
        await suscripcion.iniciar(entrega)
    sys.stdout.write("tomados\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
