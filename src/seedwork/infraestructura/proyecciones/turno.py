"""El turno para reconstruir una proyección: lo tiene uno a la vez, y vence solo si quien lo tenía murió."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from seedwork.infraestructura.base_datos import insertar_si_falta
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.tablas import proyecciones

ARRIENDO_S = 10.0


class ErrorReconstruccion(Exception):
    """La reconstrucción no se hizo, y la proyección sigue como estaba; la frase dice por qué."""


class EnReconstruccion(ErrorReconstruccion):
    """Otro tiene el turno."""


class TurnoPerdido(ErrorReconstruccion):
    """El turno venció y quien lo tenía no lo renovó a tiempo."""


class Turno:
    """Un arriendo en la fila de la proyección, que se renueva mientras se trabaja."""

    def __init__(self, motor: Engine, nombre: str) -> None:
        self._motor = motor
        self._nombre = nombre
        self._dueno = uuid4().hex
        self._renovado = 0.0

    def tomar(self) -> None:
        """Lanza `EnReconstruccion` si lo tiene otro."""
        with Session(self._motor) as sesion, sesion.begin():
            insertar_si_falta(sesion, proyecciones, _fila(self._nombre), "nombre")
            libre = proyecciones.c.vence_ms < ahora_ms()
            if not self._escribir(sesion, libre, dueno=self._dueno, vence_ms=_vence_ms(), aplicados=0, total=0):
                vence_ms = sesion.execute(select(proyecciones.c.vence_ms).where(self._suya)).scalar_one()
                resta_s = max(0.0, (vence_ms - ahora_ms()) / 1000)
                raise EnReconstruccion(
                    f"La proyección {self._nombre!r} ya se está reconstruyendo; si quien lo hacía murió, su turno vence"
                    f" en {resta_s:.0f} s"
                )
        self._renovado = time.monotonic()

    def renovar(self, aplicados: int, total: int) -> None:
        """Lo alarga, si ya toca, y dice por dónde va; `TurnoPerdido` si lo tiene otro."""
        if time.monotonic() - self._renovado < ARRIENDO_S / 5:
            return
        with Session(self._motor) as sesion, sesion.begin():
            self._exigir(sesion, vence_ms=_vence_ms(), aplicados=aplicados, total=total)
        self._renovado = time.monotonic()

    def entregar(self, sesion: Session, hasta: int, omitidas: Sequence[int]) -> None:
        """Deja en la transacción de la sustitución hasta dónde llegó, y lo suelta; `TurnoPerdido` si lo tiene otro."""
        self._exigir(sesion, dueno=None, vence_ms=0, hasta=hasta, omitidas=[*omitidas], reconstruida_ms=ahora_ms())

    def soltar(self) -> None:
        """Lo deja libre, si sigue siendo suyo."""
        with Session(self._motor) as sesion, sesion.begin():
            self._escribir(sesion, proyecciones.c.dueno == self._dueno, dueno=None, vence_ms=0)

    @property
    def _suya(self) -> Any:
        return proyecciones.c.nombre == self._nombre

    def _exigir(self, sesion: Session, **valores: Any) -> None:
        if not self._escribir(sesion, proyecciones.c.dueno == self._dueno, **valores):
            raise TurnoPerdido(
                f"La reconstrucción de {self._nombre!r} se detuvo más de {ARRIENDO_S:.0f} s, y otra tomó su turno"
            )

    def _escribir(self, sesion: Session, si: Any, **valores: Any) -> bool:
        resultado: Any = sesion.execute(update(proyecciones).where(self._suya, si).values(**valores))
        return bool(resultado.rowcount)


def _vence_ms() -> int:
    return ahora_ms() + int(ARRIENDO_S * 1000)


def _fila(nombre: str) -> dict[str, Any]:
    return {"nombre": nombre, "hasta": 0, "omitidas": [], "vence_ms": 0, "aplicados": 0, "total": 0}
