"""La bitácora: cada mensaje que llegó a alguna proyección, una vez y tal como llegó, en el orden en que llegó."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from seedwork.infraestructura.base_datos import insertar_si_falta
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.tablas import bitacora

LOTE = 500
_BYTES_POR_LOTE = 8 * 1024 * 1024
# El candado es de la tabla, y por tanto de cada schema. Los números del outbox son de 64 bits al azar: no chocan.
_CANDADO = "CAST(CAST('bitacora' AS regclass) AS bigint) + 8589934592"


@dataclass(frozen=True, slots=True)
class Anotado:
    """Un mensaje de la bitácora y su lugar en ella."""

    secuencia: int
    id: str
    fecha_ms: int
    mensaje: Mensaje


def anotar(sesion: Session, mensaje: Mensaje, id: str) -> bool:
    """Guarda el mensaje en la transacción en curso y devuelve True; False si ya estaba."""
    _tomar_candado(sesion, "pg_advisory_xact_lock_shared")
    fila = {
        "topico": mensaje.topico,
        "id": id,
        "clave": mensaje.clave,
        "cabeceras": dict(mensaje.cabeceras),
        "cuerpo": mensaje.cuerpo,
        "fecha_ms": ahora_ms(),
    }
    return insertar_si_falta(sesion, bitacora, fila, "topico", "id")


def secuencia_de(sesion: Session, topico: str, id: str) -> int:
    """El lugar de un mensaje que ya está."""
    suya = select(bitacora.c.secuencia).where(bitacora.c.topico == topico, bitacora.c.id == id)
    secuencia: int = sesion.execute(suya).scalar_one()
    return secuencia


def horizonte(sesion: Session) -> int:
    """Una secuencia hasta la cual no falta nadie: ni está por confirmar, ni podrá aparecer después.

    En PostgreSQL una transacción puede confirmar la 5 cuando ya se ve la 6. Aquí se espera a las que estén anotando, y
    ninguna otra empieza a anotar hasta que ésta termine. En SQLite ya escribe uno a la vez.
    """
    _tomar_candado(sesion, "pg_advisory_xact_lock")
    ultima: int | None = sesion.execute(select(func.max(bitacora.c.secuencia))).scalar_one()
    return ultima or 0


def contar(sesion: Session, topicos: Collection[str], desde: int, hasta: int) -> int:
    """Cuántos hay de esos tópicos después de `desde` y hasta `hasta`."""
    suyos = bitacora.c.topico.in_(topicos), bitacora.c.secuencia > desde, bitacora.c.secuencia <= hasta
    cuantos: int = sesion.execute(select(func.count()).select_from(bitacora).where(*suyos)).scalar_one()
    return cuantos


def leer(sesion: Session, topicos: Collection[str], desde: int, hasta: int) -> Sequence[Anotado]:
    """Los primeros de esos tópicos después de `desde`, en orden: un lote que cabe en memoria; vacío si no quedan."""
    suyos = (
        select(bitacora)
        .where(bitacora.c.topico.in_(topicos), bitacora.c.secuencia > desde, bitacora.c.secuencia <= hasta)
        .order_by(bitacora.c.secuencia)
        .limit(LOTE)
        .subquery()
    )
    bytes_antes = func.sum(func.length(suyos.c.cuerpo)).over(order_by=suyos.c.secuencia) - func.length(suyos.c.cuerpo)
    lote = select(suyos, bytes_antes.label("bytes_antes")).subquery()
    caben = select(lote).where(lote.c.bytes_antes < _BYTES_POR_LOTE).order_by(lote.c.secuencia)
    return [
        Anotado(
            fila.secuencia,
            fila.id,
            fila.fecha_ms,
            Mensaje(topico=fila.topico, cuerpo=fila.cuerpo, clave=fila.clave, cabeceras=fila.cabeceras),
        )
        for fila in sesion.execute(caben)
    ]


def _tomar_candado(sesion: Session, funcion: str) -> None:
    if sesion.get_bind().dialect.name == "postgresql":
        sesion.execute(text(f"SELECT {funcion}({_CANDADO})"))
