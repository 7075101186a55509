"""La bitácora de la que se reconstruyen las proyecciones, y por dónde va cada una."""

import sqlalchemy as sa
from alembic import op

revision = "seedwork_0003"
down_revision = "seedwork_0002"


def upgrade() -> None:
    op.create_table(
        "bitacora",
        sa.Column(
            "secuencia", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("topico", sa.String(255), nullable=False),
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("clave", sa.Text),
        sa.Column("cabeceras", sa.JSON, nullable=False),
        sa.Column("cuerpo", sa.LargeBinary, nullable=False),
        sa.Column("fecha_ms", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("bitacora_de_un_mensaje", "bitacora", ["topico", "id"], unique=True)
    op.create_index("bitacora_de_un_topico", "bitacora", ["topico", "secuencia"])
    op.create_table(
        "proyecciones",
        sa.Column("nombre", sa.String(100), primary_key=True),
        sa.Column("hasta", sa.BigInteger, nullable=False),
        sa.Column("omitidas", sa.JSON, nullable=False),
        sa.Column("reconstruida_ms", sa.BigInteger),
        sa.Column("dueno", sa.String(64)),
        sa.Column("vence_ms", sa.BigInteger, nullable=False),
        sa.Column("aplicados", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
    )
