"""Un viaje llevado por procesos que mueren en cada punto: `python -m ... CARPETA VIAJE`."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from tests.integracion.muertes import enumerar
from tests.integracion.seedwork.viajes import armar, de_fuera, libro
from tests.unit.seedwork.viaje import AVISAR, PAGAR, RESERVAR, VIAJE, ViajePedido, con

from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.infraestructura.sistema import Sistema
from seedwork.infraestructura.tablas import outbox, sagas

PLAZO_S = 60


def _sistema(carpeta: Path, id: str) -> Sistema:
    saga = replace(VIAJE, pasos=[con(PAGAR, plazo_s=0.3), RESERVAR, AVISAR]) if id.startswith("lento") else VIAJE
    return armar(f"sqlite:///{carpeta}/b.db", saga, servicios=True, broker=f"embebido:///{carpeta}/broker.db")


async def preparar(carpeta: Path, id: str) -> None:
    """La base migrada, las suscripciones, y el evento con que empieza el viaje ya en el broker."""
    sistema = _sistema(carpeta, id)
    async with Mensajeria(bus=sistema) as mensajeria:
        await mensajeria.esperar_conectada()
    async with Mensajeria(bus=sistema, consumir=False) as mensajeria:
        await mensajeria.broker.publicar([de_fuera(ViajePedido(id_viaje=id, monto=7))])
    sistema.cerrar()


async def llevar(carpeta: Path, id: str) -> dict[str, Any]:
    sistema = _sistema(carpeta, id)
    async with Mensajeria(bus=sistema), asyncio.timeout(PLAZO_S):
        while (final := await asyncio.to_thread(_final, sistema, id)) is None:
            await asyncio.sleep(0.05)
    return final


def _final(sistema: Sistema, id: str) -> dict[str, Any] | None:
    """Cómo quedó todo, si ya no queda nada por hacer."""
    assert sistema.motor is not None
    with sistema.motor.connect() as conexion:
        estado = conexion.execute(select(sagas.c.estado).where(sagas.c.clave == id)).scalar()
        por_salir = select(func.count()).select_from(outbox).where(outbox.c.publicado_ms.is_(None))
        apuntes = [tuple(fila) for fila in conexion.execute(select(libro.c.servicio, libro.c.que, libro.c.importe))]
        quieto = conexion.execute(por_salir).scalar_one() == 0
    cancelado = ("agencia", "cancelar", 0) in apuntes
    if not quieto or estado not in ("COMPLETADA", "COMPENSADA") or cancelado != (estado == "COMPENSADA"):
        return None
    return {"estado": estado, "apuntes": sorted(apuntes)}


if __name__ == "__main__":
    viaje = sys.argv[2]
    enumerar(Path(sys.argv[1]), lambda carpeta: preparar(carpeta, viaje), lambda carpeta: llevar(carpeta, viaje))
