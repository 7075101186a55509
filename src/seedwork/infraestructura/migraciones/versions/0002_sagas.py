"""Las sagas y su diario."""

import sqlalchemy as sa
from alembic import op

revision = "seedwork_0002"
down_revision = "seedwork_0001"


def upgrade() -> None:
    op.create_table(
        "sagas",
        sa.Column("inquilino", sa.String(63), primary_key=True),
        sa.Column("saga", sa.String(100), primary_key=True),
        sa.Column("clave", sa.String(255), primary_key=True),
        sa.Column("definicion", sa.Integer, nullable=False),
        sa.Column("forma", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("estado", sa.String(16), nullable=False),
        sa.Column("pasos", sa.JSON, nullable=False),
        sa.Column("datos", sa.JSON, nullable=False),
        sa.Column("motivo", sa.Text),
        sa.Column("intentos", sa.Integer, nullable=False),
        sa.Column("creada_ms", sa.BigInteger, nullable=False),
        sa.Column("actualizada_ms", sa.BigInteger, nullable=False),
        sa.Column("vence_ms", sa.BigInteger),
    )
    esperan = sa.text("vence_ms IS NOT NULL")
    op.create_index("sagas_plazos", "sagas", ["vence_ms"], sqlite_where=esperan, postgresql_where=esperan)
    abiertas = sa.text("estado IN ('EN_CURSO', 'COMPENSANDO', 'DETENIDA')")
    op.create_index(
        "sagas_abiertas", "sagas", ["saga", "definicion", "forma"], sqlite_where=abiertas, postgresql_where=abiertas
    )
    op.create_index("sagas_recientes", "sagas", ["actualizada_ms"])
    op.create_table(
        "sagas_diario",
        sa.Column(
            "secuencia", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("inquilino", sa.String(63), nullable=False),
        sa.Column("saga", sa.String(100), nullable=False),
        sa.Column("clave", sa.String(255), nullable=False),
        sa.Column("fecha_ms", sa.BigInteger, nullable=False),
        sa.Column("que", sa.String(32), nullable=False),
        sa.Column("mensaje", sa.String(255), nullable=False),
        sa.Column("detalle", sa.Text),
        sa.Column("id_mensaje", sa.String(255)),
    )
    op.create_index("sagas_diario_de_una", "sagas_diario", ["inquilino", "saga", "clave", "secuencia"])
