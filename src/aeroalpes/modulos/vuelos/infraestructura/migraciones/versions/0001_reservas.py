"""Las reservas."""

import sqlalchemy as sa
from alembic import op

revision = "vuelos_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "vuelos_reservas",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("id_cliente", sa.Uuid),
        sa.Column("estado", sa.String(16), nullable=False),
        sa.Column("motivo", sa.Text),
        sa.Column("medio_pago", sa.Text),
        sa.Column("pasajeros", sa.JSON, nullable=False),
        sa.Column("itinerarios", sa.JSON, nullable=False),
        sa.Column("fecha_creacion_ms", sa.BigInteger, nullable=False),
        sa.Column("fecha_actualizacion_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("vuelos_reservas_recientes", "vuelos_reservas", ["fecha_creacion_ms", "id"])
