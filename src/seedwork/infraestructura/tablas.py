"""Las tablas de seedwork: outbox e inbox. Las crea, con sus índices, su migración; aquí, cómo se usan."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text

metadatos = MetaData()

_entero_largo = BigInteger().with_variant(Integer, "sqlite")  # en SQLite sólo INTEGER se autonumera

outbox = Table(
    "outbox",
    metadatos,
    Column("secuencia", _entero_largo, primary_key=True, autoincrement=True),
    Column("carril", Integer, nullable=False),
    Column("id", String(255), nullable=False, unique=True),
    Column("topico", String(255), nullable=False),
    Column("clave", Text),
    Column("cabeceras", JSON, nullable=False),
    Column("cuerpo", LargeBinary, nullable=False),
    Column("creado_ms", BigInteger, nullable=False),
    Column("publicado_ms", BigInteger),
    Column("motivo", Text),  # por qué no se puede publicar: la fila está estacionada y retiene su clave
    sqlite_autoincrement=True,
)
outbox_carriles = Table(
    "outbox_carriles",
    metadatos,
    Column("carril", Integer, primary_key=True, autoincrement=False),
    Column("dueno", String(64)),
    Column("vence_ms", BigInteger, nullable=False),
)

inbox = Table(
    "inbox",
    metadatos,
    Column("suscripcion", String(255), primary_key=True),
    Column("id", String(255), primary_key=True),
    Column("huella", String(64)),
    Column("resultado", Text),
    Column("fecha_ms", BigInteger, nullable=False),
)
