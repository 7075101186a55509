"""El GDS visto desde aquí: con plazo, con cortacircuitos y hablando nuestro idioma."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import structlog
from pybreaker import CircuitBreaker, CircuitBreakerError

from aeroalpes.modulos.gds.aplicacion.puertos import Confirmada, GdsSinRespuesta, SinPlazas
from aeroalpes.modulos.gds.dominio.objetos_valor import Tramo
from aeroalpes.modulos.gds.infraestructura.anticorrupcion import traduccion
from aeroalpes.modulos.gds.infraestructura.anticorrupcion.ajeno import Host, Respuesta, Transaccion

INTENTOS = 2
PLAZO_S = 3.0
FALLOS_QUE_ABREN = 5
DESCANSO = timedelta(seconds=10)

R = TypeVar("R")
_registro = structlog.get_logger(__name__)
_FALLOS = (TimeoutError, OSError, traduccion.RespuestaIlegible)


class GdsAnticorrupcion:
    """Implementa `SistemaReservas` sobre un `Host`.

    Una llamada se rinde a los `plazo_s` segundos y se intenta `INTENTOS` veces. Tras `fallos_que_abren` fallos
    seguidos no se le llama durante `descanso`: quien pide plazas sabe al momento que no las hay, y el GDS descansa.
    """

    def __init__(
        self,
        host: Host,
        plazo_s: float = PLAZO_S,
        fallos_que_abren: int = FALLOS_QUE_ABREN,
        descanso: timedelta = DESCANSO,
    ) -> None:
        self._host = host
        self._plazo_s = plazo_s
        self._circuito = CircuitBreaker(
            fail_max=fallos_que_abren,
            reset_timeout=descanso.total_seconds(),
            exclude=[lambda error: not isinstance(error, _FALLOS)],  # una cancelación nuestra no es culpa suya
            throw_new_error_on_trip=False,
        )

    async def tomar_plazas(self, id_reserva: UUID, tramos: tuple[Tramo, ...]) -> Confirmada | SinPlazas:
        try:
            venta = traduccion.a_venta(id_reserva, tramos)
        except OverflowError:
            return SinPlazas("Las aerolíneas no vuelan en esa fecha")
        return await self._llamar(venta, traduccion.de_venta)

    async def soltar_plazas(self, id_reserva: UUID) -> None:
        await self._llamar(traduccion.a_cancelacion(id_reserva), traduccion.exigir_cancelada)

    async def _llamar(self, transaccion: Transaccion, leer: Callable[[Respuesta], R]) -> R:
        for intento in range(1, INTENTOS + 1):
            try:
                with self._circuito.calling():
                    async with asyncio.timeout(self._plazo_s):
                        return leer(await self._host.transmitir(transaccion))
            except CircuitBreakerError as error:
                raise GdsSinRespuesta("El GDS lleva rato sin responder: no se le llama") from error
            except _FALLOS as error:
                _registro.warning("gds.sin_respuesta", trx=transaccion["TRX"], intento=intento, error=repr(error))
        raise GdsSinRespuesta(f"El GDS no respondió tras {INTENTOS} intentos de {self._plazo_s:g} s")
