"""Dos proyecciones que siguen el mismo tópico, sobre las que se prueba cómo se alimentan y se reconstruyen."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from pydantic import BaseModel
from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table, Text, select, text, update
from sqlalchemy.orm import Session

from seedwork import Mensaje, Mensajeria, Modulo, bootstrap, proyeccion
from seedwork.infraestructura.base_datos import insertar_si_falta
from seedwork.infraestructura.codificacion import codificar
from seedwork.infraestructura.proyecciones import Proyeccion
from seedwork.infraestructura.proyecciones.alimentador import Alimentador
from seedwork.infraestructura.sistema import Sistema

BASE = "BASE_DEL_BANCO"
TOPICO = "movimientos"
metadatos = MetaData()
saldos = Table(
    "saldos",
    metadatos,
    Column("cuenta", Text, primary_key=True),
    Column("saldo", Integer, nullable=False),
    Column("historia", Text, nullable=False),
)
conteo = Table(
    "conteo", metadatos, Column("importe", Integer, primary_key=True, autoincrement=False), Column("n", Integer)
)
grandes = Table(
    "grandes", metadatos, Column("alias", Text), Column("importe", Integer), Column("dudoso", Boolean, nullable=False)
)
Index("grandes_dudosos", grandes.c.importe, sqlite_where=grandes.c.dudoso, postgresql_where=grandes.c.dudoso)
al_aplicar: list[Callable[[Movimiento, Session], None]] = []
"""Lo que una prueba quiere que pase cada vez que se aplica un movimiento a `saldos`."""


class Movimiento(BaseModel):
    cuenta: str
    importe: int


@proyeccion("saldos", topic=TOPICO, tablas=[saldos])
def llevar(evento: Movimiento, sesion: Session) -> None:
    """Lo de una cuenta depende del orden."""
    insertar_si_falta(sesion, saldos, {"cuenta": evento.cuenta, "saldo": 0, "historia": ""}, "cuenta")
    sesion.execute(
        update(saldos)
        .where(saldos.c.cuenta == evento.cuenta)
        .values(saldo=saldos.c.saldo + evento.importe, historia=saldos.c.historia + f"{evento.importe} ")
    )
    for hacer in al_aplicar:
        hacer(evento, sesion)


@proyeccion("importes", topic=[TOPICO], tablas=[conteo, grandes])
def contar(evento: Movimiento, sesion: Session) -> None:
    """Dos tablas, una de ellas con un índice único que sólo está en la base, y SQL escrito a mano."""
    sesion.execute(
        text("INSERT INTO conteo VALUES (:i, 1) ON CONFLICT (importe) DO UPDATE SET n = conteo.n + 1"),
        {"i": evento.importe},
    )
    if evento.importe > 5:
        fila = {"alias": f"{evento.cuenta}/{evento.importe}", "importe": evento.importe, "dudoso": evento.importe > 8}
        insertar_si_falta(sesion, grandes, fila, "alias")


def armar(url: str | None = None, **opciones: Any) -> Sistema:
    """El sistema de las dos proyecciones, con sus tablas creadas si no las crea `bootstrap`."""
    modulo = Modulo(nombre="movimientos", consumidores=[llevar, contar])
    sistema = bootstrap([modulo], base_datos=url or os.environ[BASE], servicio="m", **opciones)
    assert sistema.motor is not None
    if "schema" not in opciones:
        crear_tablas(sistema.motor)
    return sistema


def crear_tablas(motor: Any) -> None:
    metadatos.create_all(motor)
    with motor.begin() as conexion:
        conexion.execute(text("CREATE UNIQUE INDEX IF NOT EXISTS grandes_alias ON grandes (alias)"))


def mensaje(cuenta: str, importe: int, id: str | None = None) -> Mensaje:
    return codificar(
        Movimiento(cuenta=cuenta, importe=importe), topico=TOPICO, servicio="m", clave=cuenta, id=id or str(uuid4())
    )


def declaradas(sistema: Sistema) -> dict[str, Proyeccion]:
    """Las proyecciones, con su suscripción decidida."""
    mensajeria = Mensajeria("embebido://", bus=sistema)
    return {p.nombre: p for p in mensajeria.consumidores if isinstance(p, Proyeccion)}


class Vivas:
    """Las dos proyecciones, alimentadas a mano: sin broker que elija el orden por la prueba."""

    def __init__(self, sistema: Sistema) -> None:
        self.sistema = sistema
        self.proyecciones = declaradas(sistema)
        self._alimentadores = {nombre: Alimentador(p, sistema) for nombre, p in self.proyecciones.items()}

    async def alimentar(self, nombre: str, *mensajes: Mensaje) -> None:
        for cada in mensajes:
            await self._alimentadores[nombre].procesar(cada)

    def modelo(self) -> Mapping[str, Sequence[Any]]:
        """Lo que se lee en cada tabla."""
        assert self.sistema.motor is not None
        with self.sistema.motor.connect() as conexion:
            return {
                tabla.name: sorted(tuple(fila) for fila in conexion.execute(select(tabla)))
                for tabla in (saldos, conteo, grandes)
            }

    def cerrar(self) -> None:
        for alimentador in self._alimentadores.values():
            alimentador.cerrar()


def plegar(mensajes: Sequence[Mensaje]) -> Mapping[str, Sequence[Any]]:
    """El mismo modelo, sin base ni bitácora: contra qué se compara."""
    cuentas: dict[str, tuple[int, str]] = {}
    importes: dict[int, int] = {}
    vistos: dict[str, tuple[str, int, bool]] = {}
    for movimiento in (Movimiento.model_validate_json(cada.cuerpo) for cada in mensajes):
        saldo, historia = cuentas.get(movimiento.cuenta, (0, ""))
        cuentas[movimiento.cuenta] = (saldo + movimiento.importe, f"{historia}{movimiento.importe} ")
        importes[movimiento.importe] = importes.get(movimiento.importe, 0) + 1
        if movimiento.importe > 5:
            alias = f"{movimiento.cuenta}/{movimiento.importe}"
            vistos[alias] = (alias, movimiento.importe, movimiento.importe > 8)
    return {
        "saldos": sorted((cuenta, *valor) for cuenta, valor in cuentas.items()),
        "conteo": sorted(importes.items()),
        "grandes": sorted(vistos.values()),
    }
