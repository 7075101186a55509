"""Los productos que cada reserva ya tiene; las de antes no los contaban."""

import sqlalchemy as sa
from alembic import op

revision = "vuelos_0004"
down_revision = "vuelos_0003"


def upgrade() -> None:
    op.add_column("vuelos_reservas", sa.Column("confirmados", sa.JSON, nullable=False, server_default="[]"))
