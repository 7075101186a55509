"""Cuánto se reservó cada ruta cada día."""

import sqlalchemy as sa
from alembic import op

revision = "precios_dinamicos_0002"
down_revision = "precios_dinamicos_0001"


def upgrade() -> None:
    op.create_table(
        "precios_historia",
        sa.Column("origen", sa.Text, primary_key=True),
        sa.Column("destino", sa.Text, primary_key=True),
        sa.Column("dia", sa.Date, primary_key=True),
        sa.Column("reservas", sa.Integer, nullable=False),
    )
