"""El cupo de cada noche y quién lo ocupa."""

import sqlalchemy as sa
from alembic import op

revision = "hoteles_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "hoteles_noches",
        sa.Column("hotel", sa.Text, primary_key=True),
        sa.Column("fecha", sa.Date, primary_key=True),
        sa.Column("ocupadas", sa.Integer, nullable=False),
    )
    op.create_table(
        "hoteles_estancias",
        sa.Column("id_reserva", sa.Uuid, primary_key=True),
        sa.Column("hotel", sa.Text),
        sa.Column("fecha", sa.Date),
        sa.Column("estado", sa.String(16), nullable=False),
    )
