"""El outbox: el mensaje se escribe en la transacción del estado, y un relay lo publica después."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import blake2b

from sqlalchemy import BigInteger, bindparam, func, insert, select
from sqlalchemy.orm import Session

from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.codificacion import codificar
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.tablas import outbox
from seedwork.infraestructura.uow import UnidadTrabajoSQLAlchemy

CARRILES = 16
_INSERTAR = insert(outbox)
_TURNO = select(func.pg_advisory_xact_lock(bindparam("huella", type_=BigInteger)))
INQUILINO = "inquilino"  # la cabecera con el schema de quien publica, donde hay uno por inquilino


class AvisoOutbox:
    """Despierta, en este proceso, a quien espera filas nuevas en el outbox."""

    def __init__(self) -> None:
        self._oyentes: list[Callable[[], None]] = []

    def escuchar(self, oyente: Callable[[], None]) -> None:
        """`oyente` se llamará desde el hilo que confirme: debe ser breve y no fallar."""
        self._oyentes.append(oyente)

    def dejar(self, oyente: Callable[[], None]) -> None:
        self._oyentes.remove(oyente)

    def avisar(self) -> None:
        for oyente in list(self._oyentes):
            oyente()


class Servicio(str):
    """El nombre de este servicio, tal como firma sus mensajes (`source`)."""

    __slots__ = ()


class DespachadorOutbox:
    """Implementa el puerto `Despachador`: deja el mensaje en el outbox de la transacción en curso."""

    def __init__(self, uow: UnidadTrabajoSQLAlchemy, servicio: Servicio, aviso: AvisoOutbox) -> None:
        self._uow = uow
        self._servicio = servicio
        self._aviso = aviso

    def publicar(
        self,
        mensaje: object,
        *,
        topico: str,
        clave: str | None = None,
        id: str | None = None,
        tipo: str | None = None,
        fecha: datetime | None = None,
        cabeceras: Mapping[str, str] | None = None,
    ) -> None:
        self.anadir(
            codificar(
                mensaje,
                topico=topico,
                servicio=self._servicio,
                clave=clave,
                id=id,
                tipo=tipo,
                fecha=fecha,
                cabeceras=cabeceras,
            )
        )

    def anadir(self, mensaje: Mensaje) -> None:
        """Deja en el outbox un mensaje ya codificado; `SoloLectura` si la transacción no puede escribir."""
        self._uow.exigir_escritura()
        id = mensaje.cabeceras["id"]
        sesion = self._uow.sesion
        cabeceras = dict(mensaje.cabeceras)
        if self._uow.schema_comun is not None and self._uow.schema is not None:
            cabeceras[INQUILINO] = self._uow.schema
        if mensaje.clave is not None:
            _esperar_turno(sesion, mensaje.clave)
        fila = {
            "carril": carril_de(mensaje.clave if mensaje.clave is not None else id),
            "id": id,
            "topico": mensaje.topico,
            "clave": mensaje.clave,
            "cabeceras": cabeceras,
            "cuerpo": mensaje.cuerpo,
            "creado_ms": ahora_ms(),
        }
        sesion.execute(_INSERTAR, fila, execution_options=self._uow.en_comun)
        self._uow.al_confirmar(self._aviso.avisar)


def _esperar_turno(sesion: Session, clave: str) -> None:
    """En PostgreSQL, quien toma una secuencia para una clave confirma antes de que otro tome la siguiente: así lo que
    un relay ve de una clave no tiene huecos. En SQLite ya escribe uno a la vez."""
    if sesion.get_bind().dialect.name == "postgresql":
        huella = blake2b(clave.encode("utf-8", "surrogatepass"), digest_size=8, person=b"outbox").digest()
        sesion.execute(_TURNO, {"huella": int.from_bytes(huella, signed=True)})


def carril_de(clave: str) -> int:
    """El carril de una clave: siempre el mismo, en todos los procesos."""
    return zlib.crc32(clave.encode("utf-8", "surrogatepass")) % CARRILES
