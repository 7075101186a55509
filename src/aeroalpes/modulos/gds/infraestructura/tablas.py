"""La tabla de confirmaciones; la crea su migración."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, String, Table, Text, Uuid

metadatos = MetaData()

confirmaciones = Table(
    "gds_confirmaciones",
    metadatos,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("estado", String(16), nullable=False),
    Column("localizador", String(16)),
    Column("motivo", Text),
)
