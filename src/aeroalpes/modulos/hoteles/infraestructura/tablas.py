"""El cupo de cada noche y quién lo ocupa; los crea su migración."""

from __future__ import annotations

from sqlalchemy import Column, Date, Integer, MetaData, String, Table, Text, Uuid

metadatos = MetaData()

noches = Table(
    "hoteles_noches",
    metadatos,
    Column("hotel", Text, primary_key=True),
    Column("fecha", Date, primary_key=True),
    Column("ocupadas", Integer, nullable=False),
)

estancias = Table(
    "hoteles_estancias",
    metadatos,
    Column("id_reserva", Uuid, primary_key=True),
    Column("hotel", Text),
    Column("fecha", Date),
    Column("estado", String(16), nullable=False),
)
