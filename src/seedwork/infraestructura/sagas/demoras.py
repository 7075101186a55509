"""Lo que se está tardando en responder a las sagas: un plazo es para quien no responde, no para quien va atrasado."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select

from seedwork.aplicacion.sagas.maquina import EstadoPaso, EstadoSaga, Que
from seedwork.infraestructura.sagas.definiciones import DefinicionesSagas
from seedwork.infraestructura.tablas import sagas_diario

_HOLGURA = 2  # veces lo que se tarda en responder a otras
_RECIENTE_MS = 30_000
_OTRA_MIRADA_MS = 5_000

_ultimas = select(sagas_diario).order_by(sagas_diario.c.secuencia.desc()).limit(1000).subquery()
_pedido = sagas_diario.alias()
_pedido_ms = (
    select(func.max(_pedido.c.fecha_ms))
    .where(*(_pedido.c[nombre] == _ultimas.c[nombre] for nombre in ("inquilino", "saga", "clave")))
    .where(_pedido.c.que.in_((str(Que.PEDIDO), str(Que.COMPENSACION_PEDIDA))))
    .where(_pedido.c.secuencia < _ultimas.c.secuencia)
    .scalar_subquery()
)
_DEMORA = select(func.max(_ultimas.c.fecha_ms - _pedido_ms)).where(
    _ultimas.c.saga == bindparam("de_saga"),
    _ultimas.c.mensaje.in_(bindparam("respuestas", expanding=True)),
    _ultimas.c.que != str(Que.IGNORADO),
    _ultimas.c.fecha_ms > bindparam("desde_ms"),
)


def esperas_ms(
    conexion: Connection, definiciones: DefinicionesSagas, vencidas: Sequence[Row[Any]], ahora: int
) -> list[int]:
    """Lo que aún hay que esperar a cada una de esas filas, o hasta mirarla otra vez; si no es positivo, venció.

    Se espera el doble de lo más que tardó, en el último medio minuto y según el diario, lo que respondió a lo mismo.
    """
    demoras: dict[tuple[str, tuple[str, ...]], int] = {}
    esperas: list[int] = []
    for vencida in vencidas:
        cual = vencida.saga, _respuestas(definiciones, vencida)
        if cual not in demoras:
            valores = {"de_saga": cual[0], "respuestas": cual[1], "desde_ms": ahora - _RECIENTE_MS}
            demoras[cual] = conexion.scalar(_DEMORA, valores) or 0
        esperada = ahora - vencida.actualizada_ms
        esperas.append(min(_HOLGURA * demoras[cual] - esperada, _OTRA_MIRADA_MS))
    return esperas


def _respuestas(definiciones: DefinicionesSagas, vencida: Row[Any]) -> tuple[str, ...]:
    """Los eventos que responden a lo que se espera."""
    saga = definiciones.listada(vencida.saga, vencida.definicion)
    tipos: list[type | None] = []
    for paso, suyo in zip(saga.pasos if saga else (), vencida.pasos, strict=False):
        if suyo["estado"] == EstadoPaso.COMPENSANDO:
            tipos.append(paso.compensado)
        elif suyo["estado"] == EstadoPaso.PEDIDO and vencida.estado == EstadoSaga.EN_CURSO:
            tipos += (paso.exito, paso.fallo)
    return tuple(tipo.__name__ for tipo in tipos if tipo is not None)
