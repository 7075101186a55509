"""La fase del alquiler de cada reserva; la crea su migración."""

from __future__ import annotations

from sqlalchemy import Column, MetaData, String, Table, Uuid

metadatos = MetaData()

alquileres = Table(
    "vehiculos_alquileres",
    metadatos,
    Column("id_reserva", Uuid, primary_key=True),
    Column("fase", String(16), nullable=False),
)
