"""El outbox de python-cqrs, vaciado por su productor, sobre la misma base que `benchmarks.outbox`."""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy import Engine, text

LOTE = 500


async def con_python_cqrs(motor: Engine, filas: int) -> float | None:
    """Los mensajes por segundo que saca su `EventProducer`; None si python-cqrs no está instalado.

    Como en su documentación: cada lote, mensaje a mensaje, y un commit. El broker sólo cuenta.
    """
    try:
        import cqrs  # type: ignore[import-not-found]
        from cqrs.outbox.sqlalchemy import OutboxModel  # type: ignore[import-not-found]
    except ImportError:
        return None
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    logging.getLogger("cqrs").setLevel(logging.WARNING)

    class Sumado(cqrs.NotificationEvent[dict[str, str]]):  # type: ignore[misc]
        """Lo que lleva cada fila."""

    cqrs.OutboxedEventMap.register("t", Sumado)
    faltan = filas

    class Contador:
        async def send_message(self, _mensaje: Any) -> None:
            nonlocal faltan
            faltan -= 1

    asincrono = create_async_engine(motor.url)
    tabla = OutboxModel.__table__
    tabla.name = "outbox_cqrs"
    try:
        async with asincrono.begin() as conexion:
            await conexion.run_sync(tabla.metadata.create_all)
        async with AsyncSession(asincrono) as sesion:
            repositorio = cqrs.SqlAlchemyOutboxedEventRepository(sesion)
            for _ in range(filas):
                repositorio.add(Sumado(event_name="t", topic="t", payload={"relleno": "x" * 200}))
            await repositorio.commit()
        with motor.connect().execution_options(isolation_level="AUTOCOMMIT") as previa:
            previa.execute(text("VACUUM ANALYZE outbox_cqrs"))
        async with AsyncSession(asincrono) as sesion:
            productor = cqrs.EventProducer(Contador(), cqrs.SqlAlchemyOutboxedEventRepository(sesion))
            empezo = time.perf_counter()
            async for lote in productor.event_batch_generator(LOTE):
                for evento in lote:
                    await productor.send_message(evento)
                await productor.repository.commit()
                if faltan <= 0:
                    break
            return filas / (time.perf_counter() - empezo)
    finally:
        await asincrono.dispose()
