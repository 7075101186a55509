"""Lo que un relay pregunta y anota en el outbox: qué puede salir, de quién es cada carril, qué salió y qué no puede."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Text,
    Update,
    and_,
    any_,
    bindparam,
    cast,
    delete,
    exists,
    literal_column,
    or_,
    select,
    update,
)

from seedwork.infraestructura import inbox as inbox_sql
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.tablas import outbox, outbox_carriles

Fila = Row[int, str, str | None, str, bytes]  # secuencia, tópico, clave, cabeceras en JSON, cuerpo

RETENCION_S = 24 * 3600
_EN_ORDEN: ColumnElement[int] = literal_column("outbox.secuencia + 0")  # sólo la tiene el índice de lo pendiente


def leer(conexion: Connection, carriles: Sequence[int], maximo: int, salvo: Sequence[int] = ()) -> Sequence[Fila]:
    """Hasta `maximo` filas publicables de esos carriles, en orden, salvo las de esas secuencias."""
    publicables = _leer(conexion.dialect.name, aparte=bool(salvo))
    return conexion.execute(publicables, {"carriles": carriles, "maximo": maximo, "secuencias": list(salvo)}).all()


def marcar(conexion: Connection, secuencias: Sequence[int], dueno: str) -> None:
    """Deja por publicadas esas filas, si siguen en carriles de `dueno`."""
    datos = {"ahora_ms": ahora_ms(), "dueno": dueno, "secuencias": list(secuencias)}
    conexion.execute(_marcar(conexion.dialect.name), datos)


def estacionar(conexion: Connection, id: str, motivo: str) -> None:
    """Aparta un mensaje que no se puede publicar; lo de detrás en su clave espera con él."""
    conexion.execute(update(outbox).where(outbox.c.id == id).values(motivo=motivo))


def arrendar(conexion: Connection, dueno: str, duracion_s: float) -> list[int]:
    """Renueva los carriles de `dueno` y toma los que nadie tenga; devuelve los que tiene ahora."""
    ahora = ahora_ms()
    conexion.execute(_ARRENDAR, {"yo": dueno, "ahora_ms": ahora, "hasta_ms": ahora + int(duracion_s * 1000)})
    return list(conexion.scalars(_CARRILES, {"yo": dueno}))


def devolver(conexion: Connection, dueno: str) -> None:
    """Deja libres los carriles de `dueno`."""
    tabla = outbox_carriles
    conexion.execute(update(tabla).where(tabla.c.dueno == dueno).values(dueno=None, vence_ms=0))


def purgar(conexion: Connection, maximo: int) -> bool:
    """Borra hasta `maximo` filas del outbox, y del inbox, ya viejas; dice si había alguna."""
    limite = ahora_ms() - RETENCION_S * 1000
    viejas = select(outbox.c.secuencia).where(outbox.c.publicado_ms < limite).limit(maximo)
    borradas = conexion.execute(delete(outbox).where(outbox.c.secuencia.in_(viejas))).rowcount
    return borradas + inbox_sql.purgar(conexion, maximo) > 0


def atraso_ms(conexion: Connection) -> int:
    """Hace cuánto espera lo más viejo que se puede publicar; 0 si no hay nada. No cuenta lo estacionado ni lo que
    esté detrás en su clave."""
    consulta = select(outbox.c.creado_ms).where(_publicable()).order_by(_EN_ORDEN).limit(1)
    viejo = conexion.scalar(consulta)
    return 0 if viejo is None else max(0, ahora_ms() - viejo)


def _publicable() -> ColumnElement[bool]:
    delante = outbox.alias("estacionado")
    retenido = exists().where(
        delante.c.publicado_ms.is_(None),
        delante.c.motivo.is_not(None),
        delante.c.topico == outbox.c.topico,
        delante.c.clave == outbox.c.clave,
        delante.c.secuencia < outbox.c.secuencia,
    )
    return and_(outbox.c.publicado_ms.is_(None), outbox.c.motivo.is_(None), ~retenido)


def _es_una_de(dialecto: str) -> ColumnElement[bool]:
    if dialecto == "postgresql":  # un solo parámetro: con 500, prepararlos cuesta más que el UPDATE
        return outbox.c.secuencia == any_(bindparam("secuencias", type_=ARRAY(BigInteger)))
    return outbox.c.secuencia.in_(bindparam("secuencias", expanding=True))


# Hechas una vez: hacerlas cuesta a SQLAlchemy más que a la base ejecutarlas.


@cache
def _leer(dialecto: str, *, aparte: bool) -> Select[Any]:
    # Las cabeceras salen como texto: el controlador tarda más que nosotros en leerlas.
    columnas = outbox.c.secuencia, outbox.c.topico, outbox.c.clave, cast(outbox.c.cabeceras, Text), outbox.c.cuerpo
    publicables = select(*columnas).where(_publicable(), outbox.c.carril.in_(bindparam("carriles", expanding=True)))
    if aparte:
        publicables = publicables.where(~_es_una_de(dialecto))
    return publicables.order_by(_EN_ORDEN).limit(bindparam("maximo", type_=Integer))


@cache
def _marcar(dialecto: str) -> Update:
    mio = select(outbox_carriles.c.carril).where(outbox_carriles.c.dueno == bindparam("dueno"))
    return (
        update(outbox)
        .where(_es_una_de(dialecto), outbox.c.publicado_ms.is_(None), outbox.c.carril.in_(mio))
        .values(publicado_ms=bindparam("ahora_ms"))
    )


_ARRENDAR = (
    update(outbox_carriles)
    .where(
        or_(
            outbox_carriles.c.dueno == bindparam("yo"),
            outbox_carriles.c.dueno.is_(None),
            outbox_carriles.c.vence_ms < bindparam("ahora_ms"),
        )
    )
    .values(dueno=bindparam("yo"), vence_ms=bindparam("hasta_ms"))
)
_CARRILES = (
    select(outbox_carriles.c.carril)
    .where(outbox_carriles.c.dueno == bindparam("yo"))
    .order_by(outbox_carriles.c.carril)
)
