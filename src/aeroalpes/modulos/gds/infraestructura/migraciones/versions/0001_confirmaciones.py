"""Las confirmaciones."""

import sqlalchemy as sa
from alembic import op

revision = "gds_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "gds_confirmaciones",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("estado", sa.String(16), nullable=False),
        sa.Column("localizador", sa.String(16)),
        sa.Column("motivo", sa.Text),
    )
