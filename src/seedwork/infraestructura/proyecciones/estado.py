"""Cómo está cada proyección: cuánto aplicó, cuándo, cuánto le falta y si se está reconstruyendo."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from seedwork.infraestructura.base_datos import de_lectura
from seedwork.infraestructura.inbox import RETENCION_S
from seedwork.infraestructura.inquilinos import Inquilinos
from seedwork.infraestructura.proyecciones import Proyeccion
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.tablas import bitacora, inbox, proyecciones


@dataclass(frozen=True)
class EstadoProyeccion:
    """`pendientes` son los que ya están en la bitácora y le falta aplicar; lo que aún espera en el broker no se sabe.

    Las fechas, en milisegundos desde 1970. `reconstruyendo` es la fracción que lleva quien la reconstruye, si alguien.
    """

    nombre: str
    tablas: list[str]
    topicos: list[str]
    suscripcion: str
    aplicados: int
    pendientes: int
    ultimo_ms: int | None
    reconstruida_ms: int | None
    reconstruyendo: float | None


def estados(inquilinos: Inquilinos, declaradas: Iterable[Proyeccion]) -> list[EstadoProyeccion]:
    """Las de la base, o las del inquilino, en curso."""
    with Session(de_lectura(inquilinos.motor_de(inquilinos.schema()))) as sesion:
        return [_estado(sesion, proyeccion) for proyeccion in declaradas]


def _estado(sesion: Session, proyeccion: Proyeccion) -> EstadoProyeccion:
    fila = sesion.execute(select(proyecciones).where(proyecciones.c.nombre == proyeccion.nombre)).first()
    suyos = select(func.count()).select_from(bitacora).where(bitacora.c.topico.in_(proyeccion.topicos))
    aplicado = (inbox.c.suscripcion == proyeccion.suscripcion) & (inbox.c.id == bitacora.c.id)
    sin_aplicar = suyos.where(
        bitacora.c.secuencia > (fila.hasta if fila else 0),
        bitacora.c.fecha_ms > ahora_ms() - RETENCION_S * 1000,  # de lo más viejo el inbox ya no se acuerda
        ~select(inbox.c.id).where(aplicado).exists(),
    )
    pendientes = sesion.execute(sin_aplicar).scalar_one()
    ultimo = select(func.max(inbox.c.fecha_ms)).where(inbox.c.suscripcion == proyeccion.suscripcion)
    en_curso = fila is not None and fila.vence_ms > ahora_ms()
    return EstadoProyeccion(
        nombre=proyeccion.nombre,
        tablas=[tabla.name for tabla in proyeccion.tablas],
        topicos=list(proyeccion.topicos),
        suscripcion=proyeccion.suscripcion or "",
        aplicados=sesion.execute(suyos).scalar_one() - pendientes,
        pendientes=pendientes,
        ultimo_ms=sesion.execute(ultimo).scalar_one(),
        reconstruida_ms=fila.reconstruida_ms if fila else None,
        reconstruyendo=fila.aplicados / max(1, fila.total) if fila and en_curso else None,
    )
