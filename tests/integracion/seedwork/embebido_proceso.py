"""Procesos de prueba sobre un broker: `publicar URL TOPICO YO CUANTOS` o `consumir URL SUSCRIPCION TOPICO DIARIO`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from seedwork.infraestructura.brokers import Mensaje, conectar


async def publicar(url: str, topico: str, yo: str, cuantos: str) -> None:
    """Publica en lotes de cinco y escribe en la salida, una por línea, lo que el broker acusó."""
    broker = conectar(url)
    for i in range(0, int(cuantos), 5):
        lote = [f"{yo}:{n}" for n in range(i, i + 5)]
        await broker.publicar([Mensaje(topico=topico, cuerpo=m.encode(), clave=yo) for m in lote])
        sys.stdout.write("".join(f"{m}\n" for m in lote))
        sys.stdout.flush()
    await broker.cerrar()


async def consumir(url: str, nombre: str, topico: str, diario: str) -> None:
    """Anota en el diario cada mensaje y lo confirma, hasta recibir el que dice `fin`."""
    broker = conectar(url)
    suscripcion = await broker.suscribir(nombre, [topico])
    fin = False
    while not fin:
        entregas = await suscripcion.recibir(7)
        await asyncio.to_thread(_anotar, Path(diario), [entrega.mensaje.cuerpo.decode() for entrega in entregas])
        await suscripcion.confirmar(entregas)
        fin = any(entrega.mensaje.cuerpo == b"fin" for entrega in entregas)
    await broker.cerrar()


def _anotar(diario: Path, notas: list[str]) -> None:
    with diario.open("a") as archivo:
        archivo.write("".join(f"{nota}\n" for nota in notas))


asyncio.run({"publicar": publicar, "consumir": consumir}[sys.argv[1]](*sys.argv[2:]))
