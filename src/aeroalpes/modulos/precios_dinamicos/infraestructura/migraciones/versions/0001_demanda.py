"""La demanda de cada ruta, y de qué reservas sale."""

import sqlalchemy as sa
from alembic import op

revision = "precios_dinamicos_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "precios_demanda",
        sa.Column("origen", sa.Text, primary_key=True),
        sa.Column("destino", sa.Text, primary_key=True),
        sa.Column("reservas", sa.Integer, nullable=False),
    )
    op.create_table(
        "precios_reservas",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("rutas", sa.JSON, nullable=False),
        sa.Column("cancelada", sa.Boolean, nullable=False),
    )
