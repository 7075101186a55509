"""Quién y cuándo creó y cambió cada fila: columnas que se sellan solas, se escriba por donde se escriba."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, DateTime, Engine, String
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from seedwork.dominio.eventos import ahora

_USUARIO = "seedwork_usuario"


class FechaUTC(TypeDecorator[datetime]):
    """Un instante con zona; SQLite no la guarda, y se le devuelve al leer."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialecto: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialecto: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def firmado(motor: Engine, usuario: object | None) -> Engine:
    """El mismo motor, para transacciones que escriben en nombre de `usuario`: se sella `str(usuario)`."""
    return motor if usuario is None else motor.execution_options(**{_USUARIO: str(usuario)})


def _usuario(contexto: Any) -> str | None:
    nombre: str | None = contexto.execution_options.get(_USUARIO)
    return nombre


def _ahora(_contexto: Any) -> datetime:
    return ahora()


def columnas_auditoria() -> tuple[Column[Any], ...]:
    """`creado_por`, `creado_en`, `actualizado_por` y `actualizado_en`, para una `Table`.

    `*_por` es el usuario de la unidad de trabajo, o NULL si no lo hay; `*_en`, el instante en UTC.
    """
    return (
        Column("creado_por", String(255), default=_usuario),
        Column("creado_en", FechaUTC, default=_ahora),
        Column("actualizado_por", String(255), default=_usuario, onupdate=_usuario),
        Column("actualizado_en", FechaUTC, default=_ahora, onupdate=_ahora),
    )


class Auditoria:
    """Las columnas de `columnas_auditoria`, para una clase declarativa de SQLAlchemy."""

    creado_por: Mapped[str | None] = mapped_column(String(255), default=_usuario)
    creado_en: Mapped[datetime | None] = mapped_column(FechaUTC, default=_ahora)
    actualizado_por: Mapped[str | None] = mapped_column(String(255), default=_usuario, onupdate=_usuario)
    actualizado_en: Mapped[datetime | None] = mapped_column(FechaUTC, default=_ahora, onupdate=_ahora)
