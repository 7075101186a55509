"""Lo que las proyecciones recuerdan; lo crean sus migraciones."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Date, Integer, MetaData, Table, Text, Uuid

metadatos = MetaData()

demanda = Table(
    "precios_demanda",
    metadatos,
    Column("origen", Text, primary_key=True),
    Column("destino", Text, primary_key=True),
    Column("reservas", Integer, nullable=False),
)

reservas = Table(
    "precios_reservas",
    metadatos,
    Column("id", Uuid, primary_key=True),
    Column("rutas", JSON, nullable=False),
    Column("cancelada", Boolean, nullable=False),
)

historia = Table(
    "precios_historia",
    metadatos,
    Column("origen", Text, primary_key=True),
    Column("destino", Text, primary_key=True),
    Column("dia", Date, primary_key=True),
    Column("reservas", Integer, nullable=False),
)
