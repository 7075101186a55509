"""Las reservas en SQLAlchemy: para escribirlas (agregados) y para leerlas (vista)."""

from __future__ import annotations

import base64
import binascii
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from aeroalpes.modulos.vuelos.aplicacion.dto import PaginaReservas, ReservaDTO
from aeroalpes.modulos.vuelos.aplicacion.puertos import CursorInvalido
from aeroalpes.modulos.vuelos.dominio.entidades import Reserva
from aeroalpes.modulos.vuelos.infraestructura.fechas import a_ms
from aeroalpes.modulos.vuelos.infraestructura.mapeadores import MapeadorReserva, a_dto
from aeroalpes.modulos.vuelos.infraestructura.tablas import reservas
from seedwork.dominio.excepciones import NoEncontrado
from seedwork.infraestructura.repositorios import RepositorioSQLAlchemy


class ReservasSQLAlchemy(RepositorioSQLAlchemy[Reserva]):
    """Implementa `RepositorioReservas`."""

    tipo = Reserva
    tabla = reservas
    mapeador = MapeadorReserva()


class VistaReservasSQLAlchemy:
    """Implementa `VistaReservas` con una consulta por pregunta."""

    def __init__(self, sesion: Session) -> None:
        self._sesion = sesion

    def por_id(self, id: UUID) -> ReservaDTO:
        fila = self._sesion.execute(select(reservas).where(reservas.c.id == id)).first()
        if fila is None:
            raise NoEncontrado(f"No existe la reserva {id}")
        return a_dto(fila)

    def pagina(self, limite: int, cursor: str | None) -> PaginaReservas:
        clave = tuple_(reservas.c.fecha_creacion_ms, reservas.c.id)
        consulta = select(reservas).order_by(reservas.c.fecha_creacion_ms.desc(), reservas.c.id.desc())
        if cursor is not None:
            consulta = consulta.where(clave < _leer_cursor(cursor))
        filas = self._sesion.execute(consulta.limit(limite + 1)).all()
        pagina = tuple(a_dto(fila) for fila in filas[:limite])
        return PaginaReservas(pagina, _cursor(pagina[-1]) if len(filas) > limite else None)


def _cursor(ultima: ReservaDTO) -> str:
    return base64.urlsafe_b64encode(f"{a_ms(ultima.fecha_creacion)}/{ultima.id}".encode()).decode()


def _leer_cursor(cursor: str) -> tuple[int, UUID]:
    try:
        fecha_ms, _, id = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii").partition("/")
        leido = int(fecha_ms), UUID(id)
    except (ValueError, binascii.Error) as error:
        raise CursorInvalido("El cursor no es el de una página anterior") from error
    if not -(2**62) < leido[0] < 2**62:
        raise CursorInvalido("El cursor no es el de una página anterior")
    return leido
