"""El programa de presentación, como proceso, con el broker que dice el entorno."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from tests.procesos import RAIZ, Proceso, hasta

from seedwork import Evento, Mensajeria
from seedwork.infraestructura.brokers import Broker
from seedwork.infraestructura.codificacion import decodificar


async def _uno(broker: Broker, topico: str) -> Evento:
    suscripcion = await broker.suscribir(f"prueba-{topico}", [topico])
    async with asyncio.timeout(20):
        [entrega] = await suscripcion.recibir(1)
    evento: Evento = decodificar(entrega.mensaje, Evento)
    return evento


async def test_quince_lineas_bastan_para_consumir_y_publicar(tmp_path: Path) -> None:
    url, base = f"embebido:///{tmp_path}/broker.db", f"sqlite:///{tmp_path}/pedidos.db"
    entorno = {"PYTHONPATH": f"{RAIZ}/src", "BROKER_URL": url, "DATABASE_URL": base}
    programa = Proceso(
        [sys.executable, "-W", "error", "-m", "tests.integracion.seedwork.pedidos"], entorno, tmp_path / "salida", RAIZ
    )
    try:
        async with Mensajeria(url, servicio="otro", consumir=False) as otro:
            await otro.publish_event("pedido.creado", {"id": 1, "total": 9.5}, key_field="id")
            await otro.get_producer().send(topic="pedidos", message={"id": 2, "total": 3})
            await otro.publish_event("user.created", {"id": 3}, topic="eventos-usuario")
            factura = await _uno(otro.broker, "factura.emitida")
            bienvenida = await _uno(otro.broker, "bienvenida")
            await asyncio.to_thread(hasta, lambda: _pedidos(base) == [(2, 3.0)], "se sincronizara el pedido")
        assert await asyncio.to_thread(programa.parar) == 0, programa.salida
    finally:
        programa.matar()

    assert (factura.name, factura.source, factura.data) == ("factura.emitida", "pedidos", {"id": 1})
    assert bienvenida.data == {"id": 3, "de": "otro", "evento": "user.created"}


def _pedidos(base: str) -> list[tuple[int, float]]:
    motor = create_engine(base)
    try:
        with motor.connect() as conexion:
            return [tuple(fila) for fila in conexion.execute(text("SELECT id, total FROM pedidos"))]
    except OperationalError:
        return []  # todavía no hay tabla
    finally:
        motor.dispose()
