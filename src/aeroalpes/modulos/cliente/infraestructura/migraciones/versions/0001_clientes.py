"""Los clientes."""

import sqlalchemy as sa
from alembic import op

revision = "cliente_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "cliente_clientes",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("nombre", sa.String(100), nullable=False),
        sa.Column("correo", sa.String(254), nullable=False),
        sa.Column("correo_unico", sa.String(254), nullable=False, unique=True),
    )
