"""Una reserva con hotel y coche, llevada por procesos que mueren: `python -m ... CARPETA EDAD [coreografiada]`.

Quien conduce tiene `EDAD` años; si son pocos, cuando se sabe ya está todo lo demás hecho y hay que deshacerlo. La
pasarela lleva su propio libro en un archivo, como lo llevaría un banco: cada clave cobra y devuelve una vez.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from tests.integracion.aeroalpes.reservas_en_marcha import cambiando, sagas_con_plazo, vuelos_con_plazo
from tests.integracion.muertes import enumerar

from aeroalpes.composicion import COREOGRAFIADOS
from aeroalpes.modulos.gds.infraestructura.tablas import confirmaciones
from aeroalpes.modulos.hoteles.infraestructura.tablas import estancias, noches
from aeroalpes.modulos.pagos.aplicacion.puertos import Aceptado, Cargo, PasarelaPagos, Rechazado
from aeroalpes.modulos.pagos.aplicacion.queries.obtener_pago import ObtenerPago
from aeroalpes.modulos.vehiculos.infraestructura.tablas import alquileres
from aeroalpes.modulos.vuelos.aplicacion import dto
from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva
from aeroalpes.modulos.vuelos.aplicacion.queries.obtener_reserva import ObtenerReserva
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.sagas.maquina import ACABADAS
from seedwork.aplicacion.sagas.seguimiento import ListarSagas
from seedwork.dominio.excepciones import NoEncontrado
from seedwork.infraestructura.mensajeria import Mensajeria
from seedwork.infraestructura.sistema import Sistema, bootstrap
from seedwork.infraestructura.tablas import outbox

ID = uuid.UUID("018f0000-0000-7000-8000-00000000000a")
PLAZO_S = 60
COREOGRAFIADA = "coreografiada" in sys.argv


class PasarelaConLibro:
    """Acepta todo y lo apunta; repetir una clave no cobra ni devuelve dos veces."""

    def __init__(self, libro: Path) -> None:
        self._libro = libro

    async def cobrar(self, cargo: Cargo) -> Aceptado | Rechazado:
        self._apuntar("cobrar", cargo)
        return Aceptado(f"A-{cargo.clave}")

    async def devolver(self, cargo: Cargo) -> int:
        if ("cobrar", cargo.clave, cargo.monto) not in self.apuntes():
            return 0
        self._apuntar("devolver", cargo)
        return cargo.monto

    def apuntes(self) -> set[tuple[str, str, int]]:
        lineas = self._libro.read_text().splitlines() if self._libro.exists() else []
        return {(que, clave, int(monto)) for que, clave, monto in (linea.split() for linea in lineas)}

    def _apuntar(self, que: str, cargo: Cargo) -> None:
        with self._libro.open("a") as libro:
            libro.write(f"{que} {cargo.clave} {cargo.monto}\n")


def _sistema(carpeta: Path) -> Sistema:
    # Entre muerte y muerte pasan los plazos de verdad, y lo que vence no es lo que se prueba.
    coreografiados = cambiando(vuelos_con_plazo(600), en=COREOGRAFIADOS)
    modulos = coreografiados if COREOGRAFIADA else cambiando(sagas_con_plazo(600))
    return bootstrap(
        [_sin_rendirse(modulo) for modulo in modulos if modulo.nombre not in ("cliente", "precios_dinamicos")],
        base_datos=f"sqlite:///{carpeta}/b.db",
        broker=f"embebido:///{carpeta}/broker.db",
        servicio="aeroalpes",
        puertos={PasarelaPagos: PasarelaConLibro(carpeta / "banco")},
    )


def _sin_rendirse(modulo: Modulo) -> Modulo:
    """Cada muerte cuenta un intento a todo lo que el proceso atendía, y aquí muere uno tras otro."""
    consumidores = [replace(c, reintentos=replace(c.reintentos, maximo=None)) for c in modulo.consumidores]
    return replace(modulo, consumidores=consumidores)


async def preparar(carpeta: Path, edad: int) -> None:
    """La base migrada, las suscripciones, y la reserva ya aceptada."""
    sistema = _sistema(carpeta)
    async with Mensajeria(bus=sistema) as mensajeria:
        await mensajeria.esperar_conectada()
    leg = dto.LegDTO(
        datetime(2022, 11, 22, 13, tzinfo=UTC),
        datetime(2022, 11, 22, 15, tzinfo=UTC),
        dto.AeropuertoDTO("BOG", ""),
        dto.AeropuertoDTO("JFK", ""),
    )
    itinerarios = (dto.ItinerarioDTO((dto.OdoDTO((dto.SegmentoDTO((leg,)),)),)),)
    await sistema.ejecutar_async(
        CrearReserva(
            id=ID,
            itinerarios=itinerarios,
            hotel=dto.HotelDTO("Dann", date(2022, 11, 22)),
            vehiculo=dto.VehiculoDTO(3, edad),
        )
    )
    sistema.cerrar()


async def llevar(carpeta: Path) -> dict[str, Any]:
    sistema = _sistema(carpeta)
    async with Mensajeria(bus=sistema), asyncio.timeout(PLAZO_S):
        while (final := await asyncio.to_thread(_final, sistema, carpeta)) is None:
            await asyncio.sleep(0.15)
    return final


def _final(sistema: Sistema, carpeta: Path) -> dict[str, Any] | None:
    """Cómo quedó todo, si ya no queda nada por hacer."""
    assert sistema.motor is not None
    with sistema.motor.connect() as conexion:
        por_salir = select(func.count()).select_from(outbox).where(outbox.c.publicado_ms.is_(None))
        quieto = conexion.execute(por_salir).scalar_one() == 0
    reserva = sistema.ejecutar(ObtenerReserva(id=ID))
    if not quieto or reserva.estado not in ("APROBADA", "CANCELADA") or not _todos_acabaron(sistema, reserva.estado):
        return None
    with sistema.motor.connect() as conexion:  # no antes: hasta aquí se podía estar moviendo
        habitaciones = conexion.execute(select(func.coalesce(func.sum(noches.c.ocupadas), 0))).scalar_one()
        coche = conexion.execute(select(alquileres.c.fase)).scalar()
    pago = sistema.ejecutar(ObtenerPago(id_reserva=ID))
    banco = PasarelaConLibro(carpeta / "banco").apuntes()
    return {
        "reserva": reserva.estado,
        "pago": pago.estado,
        "habitaciones": habitaciones,
        "coche": coche,
        "cobrado": pago.saldo == pago.monto > 0,
        "saldo_en_el_banco": sum(monto if que == "cobrar" else -monto for que, _, monto in banco) - pago.saldo,
        "cobros": sum(que == "cobrar" for que, _, _ in banco),
    }


def _todos_acabaron(sistema: Sistema, estado: str) -> bool:
    """La reserva es la primera en saberlo en la coreografía, y la última cuando la lleva una saga."""
    sagas = sistema.ejecutar(ListarSagas()).sagas
    if not COREOGRAFIADA:
        return sagas[0].estado in ACABADAS
    if estado == "APROBADA":
        return True
    assert sistema.motor is not None
    with sistema.motor.connect() as conexion:
        plazas, coche = conexion.scalar(select(confirmaciones.c.estado)), conexion.scalar(select(alquileres.c.fase))
        hotel = conexion.scalar(select(estancias.c.estado))
    try:
        pago = sistema.ejecutar(ObtenerPago(id_reserva=ID)).estado
    except NoEncontrado:
        return False
    return (pago, plazas, hotel, coche) == ("REVERTIDO", "REVERTIDA", "LIBERADA", "SUELTO")


if __name__ == "__main__":
    edad = int(sys.argv[2])
    enumerar(Path(sys.argv[1]), lambda carpeta: preparar(carpeta, edad), llevar, en_cadena=True)
