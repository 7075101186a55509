"""La noche de hotel y el vehículo de cada reserva, si los pidió."""

import sqlalchemy as sa
from alembic import op

revision = "vuelos_0003"
down_revision = "vuelos_0002"


def upgrade() -> None:
    op.add_column("vuelos_reservas", sa.Column("hotel", sa.JSON))
    op.add_column("vuelos_reservas", sa.Column("vehiculo", sa.JSON))
