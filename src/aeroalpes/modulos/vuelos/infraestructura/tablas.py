"""La tabla de reservas; la crea su migración."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Integer, MetaData, String, Table, Text, Uuid

metadatos = MetaData()

reservas = Table(
    "vuelos_reservas",
    metadatos,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("id_cliente", Uuid),
    Column("estado", String(16), nullable=False),
    Column("motivo", Text),
    Column("medio_pago", Text),
    Column("monto", BigInteger, nullable=False),
    Column("pasajeros", JSON, nullable=False),
    Column("itinerarios", JSON, nullable=False),
    Column("hotel", JSON(none_as_null=True)),
    Column("vehiculo", JSON(none_as_null=True)),
    Column("confirmados", JSON, nullable=False),
    Column("fecha_creacion_ms", BigInteger, nullable=False),
    Column("fecha_actualizacion_ms", BigInteger, nullable=False),
)
