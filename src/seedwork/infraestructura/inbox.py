"""El inbox sobre SQLAlchemy: una fila por entrada con efecto, en la transacción del efecto."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, tuple_, update
from sqlalchemy.orm import Session

from seedwork.aplicacion.mensajes import Entrada, HuellaDistinta, YaProcesada
from seedwork.infraestructura.base_datos import insertar_si_falta
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.tablas import inbox

RETENCION_S = 30 * 24 * 3600  # más que lo que cualquier broker conserva o reintenta

_VISTA = select(inbox.c.id).where(inbox.c.suscripcion == bindparam("de"), inbox.c.id == bindparam("cual"))


class InboxSQLAlchemy:
    """Implementa el puerto `Inbox` en la sesión de la transacción en curso."""

    def __init__(self, sesion: Session) -> None:
        self._sesion = sesion

    def anotar(self, entrada: Entrada) -> None:
        fila = {
            "suscripcion": entrada.suscripcion,
            "id": entrada.id,
            "huella": entrada.huella,
            "fecha_ms": ahora_ms(),
        }
        if insertar_si_falta(self._sesion, inbox, fila, "suscripcion", "id"):
            return
        previa = self._sesion.execute(select(inbox.c.huella, inbox.c.resultado).where(*_es(entrada))).one()
        if previa.huella != entrada.huella:
            raise HuellaDistinta(entrada)
        raise YaProcesada(entrada, previa.resultado)

    def responder(self, entrada: Entrada, resultado: str) -> None:
        self._sesion.execute(update(inbox).where(*_es(entrada)).values(resultado=resultado))

    def vista(self, entrada: Entrada) -> bool:
        cual = {"de": entrada.suscripcion, "cual": entrada.id}
        return self._sesion.execute(_VISTA, cual).first() is not None

    def olvidar(self, entrada: Entrada) -> None:
        self._sesion.execute(delete(inbox).where(*_es(entrada)))


def purgar(conexion: Connection, maximo: int) -> int:
    """Borra hasta `maximo` entradas más viejas que `RETENCION_S`; devuelve cuántas."""
    viejas = (
        select(inbox.c.suscripcion, inbox.c.id).where(inbox.c.fecha_ms < ahora_ms() - RETENCION_S * 1000).limit(maximo)
    )
    return conexion.execute(delete(inbox).where(tuple_(inbox.c.suscripcion, inbox.c.id).in_(viejas))).rowcount


def _es(entrada: Entrada) -> tuple[Any, Any]:
    return inbox.c.suscripcion == entrada.suscripcion, inbox.c.id == entrada.id
