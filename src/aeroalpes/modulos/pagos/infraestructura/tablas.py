"""El almacén de eventos de los pagos y sus instantáneas; los crea su migración."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, Uuid

metadatos = MetaData()

eventos = Table(
    "pagos_eventos",
    metadatos,
    Column("id_pago", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("tipo", String(40), nullable=False),
    Column("datos", JSON, nullable=False),
)

instantaneas = Table(
    "pagos_instantaneas",
    metadatos,
    Column("id_pago", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("forma", Integer, nullable=False),  # la de `datos`: una que ya no se entiende se ignora
    Column("datos", JSON, nullable=False),
)
