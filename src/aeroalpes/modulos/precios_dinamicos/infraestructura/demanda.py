"""La demanda de cada ruta, plegada de los eventos de reserva: una viva suma uno en cada ruta que vuela."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.orm import Session

from aeroalpes.modulos.precios_dinamicos.dominio.rutas import Ruta
from aeroalpes.modulos.precios_dinamicos.infraestructura.tablas import demanda, reservas
from aeroalpes.modulos.precios_dinamicos.infraestructura.traduccion import rutas_de
from aeroalpes.modulos.vuelos.infraestructura.schema.v1.eventos import TOPICO, EventosReserva, Tramo
from seedwork.infraestructura.base_datos import insertar_si_falta
from seedwork.infraestructura.proyecciones import proyeccion

_MOVER = text(
    "INSERT INTO precios_demanda (origen, destino, reservas) VALUES (:origen, :destino, :cuanto)"
    " ON CONFLICT (origen, destino) DO UPDATE SET reservas = precios_demanda.reservas + excluded.reservas"
)
_CANCELAR = (
    update(reservas)
    .where(reservas.c.id == bindparam("id_reserva"), ~reservas.c.cancelada)
    .values(cancelada=True)
    .returning(reservas.c.rutas)
)


@proyeccion(
    "demanda",
    topic=TOPICO,
    tablas=[demanda, reservas],
    suscripcion="aeroalpes-precios-eventos",
    permanentes=(ValueError,),
)
def proyectar(evento: EventosReserva, sesion: Session) -> None:
    """Aplica un evento en la transacción que lo anota en el inbox: cada uno cuenta una vez, aunque llegue dos."""
    if evento.reserva_creada is not None and evento.reserva_creada.tramos is not None:
        _sumar(sesion, UUID(evento.reserva_creada.id_reserva), evento.reserva_creada.tramos)
    elif evento.reserva_cancelada is not None:
        _restar(sesion, UUID(evento.reserva_cancelada.id_reserva))


class VistaDemandaSQLAlchemy:
    """Implementa `VistaDemanda`."""

    def __init__(self, sesion: Session) -> None:
        self._sesion = sesion

    def de(self, ruta: Ruta) -> int:
        suya = select(demanda.c.reservas).where(demanda.c.origen == ruta.origen, demanda.c.destino == ruta.destino)
        return self._sesion.execute(suya).scalar_one_or_none() or 0


def _sumar(sesion: Session, id: UUID, tramos: list[Tramo]) -> None:
    rutas = rutas_de(tramos)
    fila = {"id": id, "rutas": [[ruta.origen, ruta.destino] for ruta in rutas], "cancelada": False}
    if insertar_si_falta(sesion, reservas, fila, "id"):  # si ya está, es que se supo antes que se canceló
        _mover(sesion, rutas, 1)


def _restar(sesion: Session, id: UUID) -> None:
    rutas = sesion.execute(_CANCELAR, {"id_reserva": id}).scalar_one_or_none()
    if rutas is not None:
        _mover(sesion, [Ruta(*ruta) for ruta in rutas], -1)
    else:
        insertar_si_falta(sesion, reservas, {"id": id, "rutas": [], "cancelada": True}, "id")


def _mover(sesion: Session, rutas: Iterable[Ruta], cuanto: int) -> None:
    for ruta in rutas:
        sesion.execute(_MOVER, {"origen": ruta.origen, "destino": ruta.destino, "cuanto": cuanto})
