"""La copia de los clientes."""

import sqlalchemy as sa
from alembic import op

revision = "notificaciones_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "notificaciones_clientes",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("nombre", sa.Text),
        sa.Column("correo", sa.Text),
    )
