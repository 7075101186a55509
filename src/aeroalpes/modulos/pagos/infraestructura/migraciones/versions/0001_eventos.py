"""Los eventos de los pagos, que sólo se añaden, y sus instantáneas."""

import sqlalchemy as sa
from alembic import op

revision = "pagos_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "pagos_eventos",
        sa.Column("id_pago", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("tipo", sa.String(40), nullable=False),
        sa.Column("datos", sa.JSON, nullable=False),
    )
    op.create_table(
        "pagos_instantaneas",
        sa.Column("id_pago", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("forma", sa.Integer, nullable=False),
        sa.Column("datos", sa.JSON, nullable=False),
    )
