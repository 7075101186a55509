"""La lectura de sagas y de su diario."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, select, text, tuple_

from seedwork.aplicacion.sagas.maquina import ACABADAS, EstadoSaga
from seedwork.aplicacion.sagas.seguimiento import (
    CursorInvalido,
    NotaDTO,
    PaginaSagas,
    PasoDTO,
    SagaConDiario,
    SagaDTO,
)
from seedwork.dominio.excepciones import NoEncontrado
from seedwork.infraestructura.sagas.definiciones import ABIERTAS, DefinicionesSagas
from seedwork.infraestructura.tablas import sagas, sagas_diario
from seedwork.infraestructura.uow import UnidadTrabajoSQLAlchemy


class VistaSagasSQLAlchemy:
    """Implementa `VistaSagas`; enseña también las de una definición que ya no está listada."""

    def __init__(self, uow: UnidadTrabajoSQLAlchemy, definiciones: DefinicionesSagas) -> None:
        self._uow = uow
        self._definiciones = definiciones
        self._inquilino = (uow.schema or "") if uow.schema_comun is not None else ""

    def por_clave(self, saga: str, clave: str) -> SagaConDiario:
        suya = sagas.c.inquilino == self._inquilino, sagas.c.saga == saga, sagas.c.clave == clave
        filas = self._leer(select(sagas).where(*suya))
        if not filas:
            raise NoEncontrado(f"No hay ninguna saga {saga!r} de {clave}")
        d = sagas_diario.c
        suyo = d.inquilino == self._inquilino, d.saga == saga, d.clave == clave
        notas = self._leer(select(sagas_diario).where(*suyo).order_by(d.secuencia))
        return SagaConDiario(
            saga=self._dto(filas[0]),
            diario=tuple(
                NotaDTO(
                    fecha=_de_ms(nota.fecha_ms),
                    que=nota.que,
                    mensaje=nota.mensaje,
                    detalle=nota.detalle,
                    id_mensaje=nota.id_mensaje,
                )
                for nota in notas
            ),
        )

    def pagina(self, saga: str | None, estado: EstadoSaga | None, limite: int, cursor: str | None) -> PaginaSagas:
        orden = sagas.c.actualizada_ms, sagas.c.saga, sagas.c.clave
        consulta = select(sagas).where(sagas.c.inquilino == self._inquilino)
        if saga is not None:
            consulta = consulta.where(sagas.c.saga == saga)
        if estado is not None:
            consulta = consulta.where(sagas.c.estado == str(estado))
            if estado not in ACABADAS:
                consulta = consulta.where(text(ABIERTAS))  # son pocas y tienen su índice
        if cursor is not None:
            consulta = consulta.where(tuple_(*orden) < _leer_cursor(cursor))
        filas = self._leer(consulta.order_by(*(columna.desc() for columna in orden)).limit(limite + 1))
        siguiente = _cursor(filas[limite - 1]) if len(filas) > limite else None
        return PaginaSagas(sagas=tuple(self._dto(fila) for fila in filas[:limite]), siguiente=siguiente)

    def _leer(self, consulta: Any) -> list[Row[Any]]:
        return list(self._uow.sesion.execute(consulta, execution_options=self._uow.en_comun))

    def _dto(self, fila: Row[Any]) -> SagaDTO:
        saga = self._definiciones.listada(fila.saga, fila.definicion)
        compensaciones = {p.nombre: p.compensacion.__name__ for p in (saga.pasos if saga else ()) if p.compensacion}
        return SagaDTO(
            saga=fila.saga,
            clave=fila.clave,
            version=fila.definicion,
            estado=fila.estado,
            motivo=fila.motivo,
            fecha_creacion=_de_ms(fila.creada_ms),
            fecha_actualizacion=_de_ms(fila.actualizada_ms),
            vence=None if fila.vence_ms is None else _de_ms(fila.vence_ms),
            pasos=tuple(
                PasoDTO(comando=p["paso"], estado=p["estado"], compensacion=compensaciones.get(p["paso"]))
                for p in fila.pasos
            ),
        )


def _de_ms(instante_ms: int) -> datetime:
    return datetime.fromtimestamp(instante_ms / 1000, UTC)


def _cursor(ultima: Row[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([ultima.actualizada_ms, ultima.saga, ultima.clave]).encode()).decode()


def _leer_cursor(cursor: str) -> tuple[int, str, str]:
    try:
        match json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True)):
            case [int(fecha_ms), str(saga), str(clave)] if 0 <= fecha_ms < 2**62:
                return fecha_ms, saga, clave
    except (ValueError, RecursionError):
        pass
    raise CursorInvalido("El cursor no es el de una página anterior")
