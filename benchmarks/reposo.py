"""Qué cuesta cada segundo de un relay en reposo, con mucho en el outbox que no le toca publicar.

`python -m benchmarks.reposo [FILAS]`, un millón si no se dice. En PostgreSQL; la CPU es la de este proceso y la de los
del servidor que trabajan para él (leída de /proc, si el servidor está en esta máquina), en segundos por segundo.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from sqlalchemy import Engine, text
from tests.integracion.seedwork.bases import base_nueva
from tests.servidores import urls

from seedwork.infraestructura.base_datos import crear_motor
from seedwork.infraestructura.migraciones import SEEDWORK, migrar
from seedwork.infraestructura.outbox import AvisoOutbox
from seedwork.infraestructura.relay import Relay
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms

SEGUNDOS = 10.0
_LLENAR = text(
    "INSERT INTO outbox (carril, id, topico, clave, cabeceras, cuerpo, creado_ms, publicado_ms, motivo)"
    " SELECT CAST(:carril AS integer), :nombre || i, 't', :nombre, '{}', '', 0, CAST(:publicado_ms AS bigint),"
    " CASE WHEN i = :estacionada THEN 'no cabe' END FROM generate_series(1, :filas) i"
)


class SinTrabajo:
    """Un broker al que nadie debería pedir nada."""

    async def publicar(self, mensajes: object) -> None:
        raise AssertionError(f"el relay no estaba en reposo: {mensajes}")


def llenar(motor: Engine, nombre: str, filas: int, *, carril: int, publicado_ms: int | None, estacionada: int) -> None:
    valores = {"nombre": nombre, "filas": filas, "carril": carril, "publicado_ms": publicado_ms}
    with motor.begin() as conexion:
        conexion.execute(_LLENAR, {**valores, "estacionada": estacionada})
    with motor.connect().execution_options(isolation_level="AUTOCOMMIT") as conexion:
        conexion.exec_driver_sql("VACUUM ANALYZE outbox")


def cpu_del_servidor_s(motor: Engine) -> float | None:
    consulta = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    with motor.connect() as conexion:
        pids = conexion.scalars(consulta).all()
    try:
        estados = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    except OSError:
        return None
    return sum(int(estado[11]) + int(estado[12]) for estado in estados) / os.sysconf("SC_CLK_TCK")


async def en_reposo(motor: Engine) -> tuple[float, float | None]:
    """Los segundos de CPU por segundo, de este proceso y del servidor, con el relay en marcha y sin nada que hacer."""
    relay = Relay(motor, SinTrabajo(), AvisoOutbox())  # type: ignore[arg-type]
    tarea = asyncio.create_task(relay.correr())
    await asyncio.sleep(2)  # toma sus carriles y hace su primera purga
    desde, cpu_s, servidor_s = time.monotonic(), time.process_time(), cpu_del_servidor_s(motor)
    await asyncio.sleep(SEGUNDOS)
    hasta_s, gastado = cpu_del_servidor_s(motor), time.process_time() - cpu_s
    tardo_s = time.monotonic() - desde
    relay.parar()
    await tarea
    return gastado / tardo_s, None if servidor_s is None or hasta_s is None else (hasta_s - servidor_s) / tardo_s


def decir(que: str, motor: Engine) -> None:
    propia, servidor = asyncio.run(en_reposo(motor))
    del_servidor = "?" if servidor is None else f"{servidor:.4f}"
    sys.stdout.write(f"{que:52} {propia:.4f} s/s el relay, {del_servidor} s/s el servidor\n")
    sys.stdout.flush()


def main(filas: int) -> None:
    with base_nueva("postgres", Path()) as url:
        motor = crear_motor(url)
        migrar(motor, SEEDWORK)
        decir("outbox vacío", motor)
        llenar(motor, "publicada", filas, carril=0, publicado_ms=ahora_ms(), estacionada=0)
        decir(f"{filas:,} publicadas", motor)
        with motor.begin() as conexion:
            conexion.execute(
                text("UPDATE outbox_carriles SET dueno = 'otro', vence_ms = :vence WHERE carril = 15"),
                {"vence": ahora_ms() + 3_600_000},
            )
        llenar(motor, "ajena", filas, carril=15, publicado_ms=None, estacionada=0)
        decir(f"y {filas:,} pendientes en un carril de otro relay", motor)
        with motor.begin() as conexion:
            conexion.execute(text("DELETE FROM outbox WHERE clave = 'ajena'"))
        llenar(motor, "retenida", filas, carril=1, publicado_ms=None, estacionada=1)
        decir(f"y {filas:,} detrás de una estacionada", motor)
        motor.dispose()


if __name__ == "__main__":
    if not {**urls(), **os.environ}.get("TEST_POSTGRES_URL"):
        sys.exit("No hay PostgreSQL: arránquelo con `make servidores`")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
