"""Las tablas de seedwork: outbox, inbox, sagas y proyecciones. Sus migraciones las crean, con índices; aquí, su uso."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text

metadatos = MetaData()

_entero_largo = BigInteger().with_variant(Integer, "sqlite")  # en SQLite sólo INTEGER se autonumera

outbox = Table(
    "outbox",
    metadatos,
    Column("secuencia", _entero_largo, primary_key=True, autoincrement=True),
    Column("carril", Integer, nullable=False),
    Column("id", String(255), nullable=False, unique=True),
    Column("topico", String(255), nullable=False),
    Column("clave", Text),
    Column("cabeceras", JSON, nullable=False),
    Column("cuerpo", LargeBinary, nullable=False),
    Column("creado_ms", BigInteger, nullable=False),
    Column("publicado_ms", BigInteger),
    Column("motivo", Text),  # por qué no se puede publicar: la fila está estacionada y retiene su clave
    sqlite_autoincrement=True,
)
outbox_carriles = Table(
    "outbox_carriles",
    metadatos,
    Column("carril", Integer, primary_key=True, autoincrement=False),
    Column("dueno", String(64)),
    Column("vence_ms", BigInteger, nullable=False),
)

inbox = Table(
    "inbox",
    metadatos,
    Column("suscripcion", String(255), primary_key=True),
    Column("id", String(255), primary_key=True),
    Column("huella", String(64)),
    Column("resultado", Text),
    Column("fecha_ms", BigInteger, nullable=False),
)

sagas = Table(
    "sagas",
    metadatos,
    Column("inquilino", String(63), primary_key=True),  # vacío si no hay un schema por inquilino
    Column("saga", String(100), primary_key=True),
    Column("clave", String(255), primary_key=True),
    Column("definicion", Integer, nullable=False),
    Column("forma", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("estado", String(16), nullable=False),
    Column("pasos", JSON, nullable=False),
    Column("datos", JSON, nullable=False),
    Column("motivo", Text),
    Column("intentos", Integer, nullable=False),
    Column("creada_ms", BigInteger, nullable=False),
    Column("actualizada_ms", BigInteger, nullable=False),
    Column("vence_ms", BigInteger),
)
sagas_diario = Table(
    "sagas_diario",
    metadatos,
    Column("secuencia", _entero_largo, primary_key=True, autoincrement=True),
    Column("inquilino", String(63), nullable=False),
    Column("saga", String(100), nullable=False),
    Column("clave", String(255), nullable=False),
    Column("fecha_ms", BigInteger, nullable=False),
    Column("que", String(32), nullable=False),
    Column("mensaje", String(255), nullable=False),
    Column("detalle", Text),
    Column("id_mensaje", String(255)),
)

bitacora = Table(
    "bitacora",
    metadatos,
    Column("secuencia", _entero_largo, primary_key=True, autoincrement=True),
    Column("topico", String(255), nullable=False),
    Column("id", String(255), nullable=False),
    Column("clave", Text),
    Column("cabeceras", JSON, nullable=False),
    Column("cuerpo", LargeBinary, nullable=False),
    Column("fecha_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
proyecciones = Table(
    "proyecciones",
    metadatos,
    Column("nombre", String(100), primary_key=True),
    Column("hasta", BigInteger, nullable=False),  # lo que de la bitácora trae su última reconstrucción...
    Column("omitidas", JSON, nullable=False),  # ...salvo estas secuencias
    Column("reconstruida_ms", BigInteger),
    Column("dueno", String(64)),
    Column("vence_ms", BigInteger, nullable=False),
    Column("aplicados", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
)
