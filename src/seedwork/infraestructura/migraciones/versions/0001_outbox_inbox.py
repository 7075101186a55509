"""Outbox, sus carriles e inbox."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "seedwork_0001"
down_revision = None

_CARRILES = 16


def upgrade() -> None:
    entero_largo = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "outbox",
        sa.Column("secuencia", entero_largo, primary_key=True, autoincrement=True),
        sa.Column("carril", sa.Integer, nullable=False),
        sa.Column("id", sa.String(255), nullable=False, unique=True),
        sa.Column("topico", sa.String(255), nullable=False),
        sa.Column("clave", sa.Text),
        sa.Column("cabeceras", sa.JSON, nullable=False),
        sa.Column("cuerpo", sa.LargeBinary, nullable=False),
        sa.Column("creado_ms", sa.BigInteger, nullable=False),
        sa.Column("publicado_ms", sa.BigInteger),
        sa.Column("motivo", sa.Text),
        sqlite_autoincrement=True,
    )
    indices: tuple[tuple[str, list[Any], str], ...] = (
        # Una expresión y no la columna: con estadísticas viejas, el planificador de PostgreSQL ordenaría por la clave
        # primaria y volvería a recorrer todo lo ya publicado.
        ("outbox_pendientes", [sa.text("(secuencia + 0)"), "carril"], "publicado_ms IS NULL AND motivo IS NULL"),
        ("outbox_estacionados", ["topico", "clave"], "publicado_ms IS NULL AND motivo IS NOT NULL"),
        ("outbox_publicados", ["publicado_ms"], "publicado_ms IS NOT NULL"),
    )
    for indice, columnas, filas in indices:
        op.create_index(indice, "outbox", columnas, sqlite_where=sa.text(filas), postgresql_where=sa.text(filas))
    carriles = op.create_table(
        "outbox_carriles",
        sa.Column("carril", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("dueno", sa.String(64)),
        sa.Column("vence_ms", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(carriles, [{"carril": carril, "dueno": None, "vence_ms": 0} for carril in range(_CARRILES)])
    op.create_table(
        "inbox",
        sa.Column("suscripcion", sa.String(255), primary_key=True),
        sa.Column("id", sa.String(255), primary_key=True),
        sa.Column("huella", sa.String(64)),
        sa.Column("resultado", sa.Text),
        sa.Column("fecha_ms", sa.BigInteger, nullable=False, index=True),
    )
