"""Lo que cuesta cada reserva, en centavos; las de antes no tenían precio."""

import sqlalchemy as sa
from alembic import op

revision = "vuelos_0002"
down_revision = "vuelos_0001"


def upgrade() -> None:
    op.add_column("vuelos_reservas", sa.Column("monto", sa.BigInteger, nullable=False, server_default="0"))
