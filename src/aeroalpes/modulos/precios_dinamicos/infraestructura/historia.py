"""Cuánto se reservó cada ruta cada día, plegado de los mismos eventos que la demanda."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aeroalpes.modulos.precios_dinamicos.aplicacion.dto import DiaDTO
from aeroalpes.modulos.precios_dinamicos.dominio.rutas import Ruta
from aeroalpes.modulos.precios_dinamicos.infraestructura.tablas import historia
from aeroalpes.modulos.precios_dinamicos.infraestructura.traduccion import rutas_de
from aeroalpes.modulos.vuelos.infraestructura.schema.v1.eventos import TOPICO, EventosReserva
from seedwork.infraestructura.base_datos import insertar_si_falta
from seedwork.infraestructura.proyecciones import proyeccion


@proyeccion("historia", topic=TOPICO, tablas=[historia], suscripcion="aeroalpes-historia-eventos")
def proyectar(evento: EventosReserva, sesion: Session) -> None:
    """Una reserva suma uno en cada ruta que vuela, el día en que se creó; que luego se cancele no la quita."""
    creada = evento.reserva_creada
    if creada is None:
        return
    dia = datetime.fromtimestamp(creada.fecha_creacion / 1000, UTC).date()
    for ruta in rutas_de(creada.tramos or ()):
        suya = {"origen": ruta.origen, "destino": ruta.destino, "dia": dia}
        insertar_si_falta(sesion, historia, {**suya, "reservas": 0}, *suya)
        sesion.execute(update(historia).filter_by(**suya).values(reservas=historia.c.reservas + 1))


class VistaHistoriaSQLAlchemy:
    """Implementa `VistaHistoria`."""

    def __init__(self, sesion: Session) -> None:
        self._sesion = sesion

    def de(self, ruta: Ruta, dias: int) -> list[DiaDTO]:
        suyos = (
            select(historia.c.dia, historia.c.reservas)
            .filter_by(origen=ruta.origen, destino=ruta.destino)
            .order_by(historia.c.dia.desc())
            .limit(dias)
        )
        return [DiaDTO(dia=fila.dia, reservas=fila.reservas) for fila in self._sesion.execute(suyos)][::-1]
