"""La tabla de clientes; la crea su migración."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, String, Table, Uuid

metadatos = MetaData()

clientes = Table(
    "cliente_clientes",
    metadatos,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("nombre", String(100), nullable=False),
    Column("correo", String(254), nullable=False),
    # En minúsculas: dos correos que sólo difieren en eso son de la misma persona.
    Column("correo_unico", String(254), nullable=False, unique=True),
)
