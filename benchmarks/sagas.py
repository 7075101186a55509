"""Mil reservas a la vez, llevadas por su saga y por la coreografía, en la misma corrida.

`python -m benchmarks.sagas [RESERVAS] [sqlite|postgres]`. Se aceptan todas con el trabajador parado y se cuenta desde
que arranca hasta que acaba la última: un proceso, broker embebido, y la base en SQLite y en PostgreSQL. De cada diez,
una no tiene plazas y otra se deshace entera por la edad de quien conduce. La saga lleva sus plazos de siempre; el de la
coreografía, que cuenta desde que se crea la reserva, se alarga. Si algo no acaba como debe o el dinero no cuadra con el
libro de la pasarela, sale con 1.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, func, select
from tests.integracion.aeroalpes.reservas_en_marcha import cambiando, reserva, vuelos_con_plazo
from tests.integracion.seedwork.bases import base_nueva
from tests.servidores import urls

from aeroalpes.composicion import COREOGRAFIADOS, MODULOS
from aeroalpes.modulos.hoteles.infraestructura import cupo
from aeroalpes.modulos.pagos.aplicacion.puertos import Aceptado, Cargo, PasarelaPagos, Rechazado
from aeroalpes.modulos.pagos.aplicacion.queries.obtener_pago import ObtenerPago
from aeroalpes.modulos.vuelos.aplicacion import dto
from aeroalpes.modulos.vuelos.infraestructura.tablas import reservas
from seedwork.aplicacion.modulo import Modulo
from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.infraestructura.sistema import Sistema, bootstrap

PLAZO_S, LIMITE_S = 600.0, 540.0
VARIANTES: dict[str, Sequence[Modulo]] = {
    "orquestada": MODULOS,
    "coreografiada": cambiando(vuelos_con_plazo(PLAZO_S), en=COREOGRAFIADOS),
}


class PasarelaConLibro:
    """Acepta todo al instante y lleva su propia cuenta de cada reserva, en centavos."""

    def __init__(self) -> None:
        self.libro: Counter[str] = Counter()

    async def cobrar(self, cargo: Cargo) -> Aceptado | Rechazado:
        self.libro[cargo.clave] += cargo.monto
        return Aceptado(f"A-{cargo.clave}")

    async def devolver(self, cargo: Cargo) -> int:
        devuelto, self.libro[cargo.clave] = self.libro[cargo.clave], 0
        return devuelto


def aceptar(sistema: Sistema, cuantas: int) -> None:
    hotel, joven = dto.HotelDTO("Dann", date(2022, 11, 22)), dto.VehiculoDTO(3, 20)
    for i in range(cuantas):
        match i % 10:
            case 0:
                sistema.ejecutar(reserva(destino="ZZZ"))
            case 1:
                sistema.ejecutar(replace(reserva(), hotel=hotel, vehiculo=joven))
            case _:
                sistema.ejecutar(reserva())


async def llevar(sistema: Sistema, pasarela: PasarelaConLibro, cuantas: int) -> float:
    """Los segundos que pasan hasta que todas acabaron y de las canceladas no queda nada cobrado."""
    acabadas = reservas.c.estado.in_(["APROBADA", "CANCELADA"])
    montos = select(func.coalesce(func.sum(reservas.c.monto), 0)).where(reservas.c.estado == "APROBADA")
    empezo = time.perf_counter()
    async with Mensajeria(bus=sistema), asyncio.timeout(LIMITE_S):
        while True:
            with _conectar(sistema) as conexion:
                hechas = conexion.execute(select(func.count()).where(acabadas)).scalar_one()
                if hechas == cuantas and conexion.execute(montos).scalar_one() == pasarela.libro.total():
                    return time.perf_counter() - empezo
            await asyncio.sleep(0.1)


def comprobar(sistema: Sistema, pasarela: PasarelaConLibro, cuantas: int) -> None:
    """Lanza si el estado o el saldo de alguna reserva no es el que debe."""
    with _conectar(sistema) as conexion:
        filas = conexion.execute(select(reservas.c.id, reservas.c.estado, reservas.c.monto)).all()
    estados = Counter(fila.estado for fila in filas)
    if estados != {"APROBADA": cuantas - 2 * (cuantas // 10), "CANCELADA": 2 * (cuantas // 10)}:
        raise AssertionError(f"No acabaron como debían: {estados}")
    for fila in filas:
        saldo = sistema.ejecutar(ObtenerPago(id_reserva=fila.id)).saldo
        debido = fila.monto if fila.estado == "APROBADA" else 0
        if (saldo, pasarela.libro[str(fila.id)]) != (debido, debido):
            raise AssertionError(f"El dinero de {fila.id} ({fila.estado}) no cuadra: {saldo}, y debía ser {debido}")


def medir(nombre: str, modulos: Sequence[Modulo], base: str, carpeta: Path, cuantas: int) -> None:
    pasarela = PasarelaConLibro()
    sistema = bootstrap(
        modulos,
        base_datos=base,
        broker=f"embebido:///{carpeta}/broker.db",
        servicio="aeroalpes",
        puertos={PasarelaPagos: pasarela},
    )

    async def correr() -> float:
        async with Mensajeria(bus=sistema) as mensajeria:
            await mensajeria.esperar_conectada()
        await asyncio.to_thread(aceptar, sistema, cuantas)
        return await llevar(sistema, pasarela, cuantas)

    segundos = asyncio.run(correr())
    comprobar(sistema, pasarela, cuantas)
    with _conectar(sistema) as conexion:
        filas = conexion.execute(select(reservas.c.fecha_actualizacion_ms).order_by(reservas.c.fecha_actualizacion_ms))
        finales = [fila.fecha_actualizacion_ms for fila in filas]
    hasta_s = [(final - finales[-1]) / 1000 + segundos for final in finales]
    mediana_s, p95_s = statistics.median(hasta_s), hasta_s[int(len(hasta_s) * 0.95)]
    sys.stdout.write(
        f"{nombre:28} {cuantas / segundos:7.1f} reservas/s  {segundos:6.1f} s en total"
        f"  mediana {mediana_s:6.1f} s  p95 {p95_s:6.1f} s\n"
    )
    sys.stdout.flush()
    sistema.cerrar()


def _conectar(sistema: Sistema) -> Connection:
    assert sistema.motor is not None  # noqa: S101 - aquí siempre se da `base_datos`
    return sistema.motor.connect()


def main(cuantas: int, *bases: str) -> None:
    cupo.HABITACIONES = cuantas
    hay_postgres = {**urls(), **os.environ}.get("TEST_POSTGRES_URL")
    for cual in bases or (("sqlite", "postgres") if hay_postgres else ("sqlite",)):
        for variante, modulos in VARIANTES.items():
            with tempfile.TemporaryDirectory() as donde, base_nueva(cual, Path(donde)) as base:
                medir(f"{cual}, {variante}", modulos, base, Path(donde), cuantas)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, *sys.argv[2:])
