"""Los alquileres."""

import sqlalchemy as sa
from alembic import op

revision = "vehiculos_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "vehiculos_alquileres",
        sa.Column("id_reserva", sa.Uuid, primary_key=True),
        sa.Column("fase", sa.String(16), nullable=False),
    )
