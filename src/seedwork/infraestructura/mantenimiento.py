"""Lo que quien opera mira y limpia del outbox: cuánto espera, qué no puede salir, quién publica, qué sobra."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, func, select

from seedwork.infraestructura.pendientes import atraso_ms
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.tablas import outbox, outbox_carriles

_LOTE = 500
_ESTACIONADOS_MAXIMO = 1000


@dataclass(frozen=True)
class Estacionado:
    """Un mensaje que no se puede publicar, y por qué; retiene sólo lo que va detrás en su clave."""

    id: str
    topico: str
    clave: str | None
    motivo: str


@dataclass(frozen=True)
class EstadoOutbox:
    """`atraso_ms` es lo que lleva esperando lo más viejo que se puede publicar; `relays`, los carriles de cada uno."""

    pendientes: int
    atraso_ms: int
    publicados: int
    estacionados: list[Estacionado]
    relays: dict[str | None, list[int]]


def estado(conexion: Connection) -> EstadoOutbox:
    """Lo que hay en el outbox ahora; de lo estacionado, los mil primeros."""
    pendiente = outbox.c.publicado_ms.is_(None)
    cuantos = select(func.count()).select_from(outbox)
    columnas = (outbox.c.id, outbox.c.topico, outbox.c.clave, outbox.c.motivo)
    estacionados = conexion.execute(
        select(*columnas)
        .where(pendiente, outbox.c.motivo.is_not(None))
        .order_by(outbox.c.secuencia)
        .limit(_ESTACIONADOS_MAXIMO)
    )
    relays: dict[str | None, list[int]] = {}
    carriles = select(outbox_carriles.c.dueno, outbox_carriles.c.vence_ms, outbox_carriles.c.carril)
    for dueno, vence_ms, carril in conexion.execute(carriles.order_by(outbox_carriles.c.carril)):
        relays.setdefault(dueno if vence_ms >= ahora_ms() else None, []).append(carril)
    return EstadoOutbox(
        pendientes=conexion.scalar(cuantos.where(pendiente, outbox.c.motivo.is_(None))) or 0,
        atraso_ms=atraso_ms(conexion),
        publicados=conexion.scalar(cuantos.where(~pendiente)) or 0,
        estacionados=[Estacionado(*fila) for fila in estacionados],
        relays=relays,
    )


def purgar(motor: Engine, *, antiguedad_s: float) -> Iterator[tuple[int, int]]:
    """Borra por lotes lo publicado hace más de `antiguedad_s`; tras cada uno dice `(cuántos había, borrados)`."""
    limite = ahora_ms() - int(antiguedad_s * 1000)
    viejo = outbox.c.publicado_ms < limite
    with motor.begin() as conexion:
        total = conexion.scalar(select(func.count()).select_from(outbox).where(viejo)) or 0
    borrados = 0
    yield total, borrados
    while True:
        with motor.begin() as conexion:
            lote = select(outbox.c.secuencia).where(viejo).limit(_LOTE)
            estos = conexion.execute(delete(outbox).where(outbox.c.secuencia.in_(lote))).rowcount
        if not estos:
            return
        borrados += estos
        yield max(total, borrados), borrados
