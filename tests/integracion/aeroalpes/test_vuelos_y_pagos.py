"""Vuelos y pagos se entienden sólo por sus eventos, lleguen en el orden en que lleguen."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.integracion.aeroalpes.contexto import Contexto, en_marcha, mensaje

from aeroalpes.modulos.pagos.infraestructura.schema.v1 import comandos as comandos_pago
from aeroalpes.modulos.pagos.modulo import PAGOS
from aeroalpes.modulos.vuelos.aplicacion import dto
from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva
from aeroalpes.modulos.vuelos.aplicacion.queries.obtener_reserva import ObtenerReserva
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos, eventos
from aeroalpes.modulos.vuelos.modulo import VUELOS
from seedwork.infraestructura.brokers import Mensaje

LEG = dto.LegDTO(
    datetime(2022, 11, 22, 13, 10, tzinfo=UTC),
    datetime(2022, 11, 22, 15, 10, tzinfo=UTC),
    dto.AeropuertoDTO("BOG", ""),
    dto.AeropuertoDTO("JFK", ""),
)
ITINERARIOS = (dto.ItinerarioDTO((dto.OdoDTO((dto.SegmentoDTO((LEG,)),)),)),)


def pedido(tipo: str, id: uuid.UUID, **variante: Any) -> Mensaje:
    return mensaje(comandos.ComandosReserva, comandos.TOPICO, tipo, id, **variante)


def aprobar(id: uuid.UUID) -> Mensaje:
    return pedido("AprobarReserva", id, aprobar_reserva=comandos.AprobarReserva(id_reserva=str(id)))


async def reservada(suite: Contexto, medio: str) -> eventos.ReservaCreada:
    """Lo que se publica al reservar."""
    id = await suite.sistema.ejecutar_async(CrearReserva(itinerarios=ITINERARIOS, medio_pago=medio))
    await suite.hasta(lambda: suite.tipos(id), "se publicara la reserva")
    creada: eventos.ReservaCreada = next(p.reserva_creada for p in suite.publicados if str(id) in str(p))
    return creada


async def test_con_lo_que_cuenta_la_creacion_se_cobra_y_aprobar_espera_a_que_conste_el_pago(tmp_path: Path) -> None:
    async with en_marcha([VUELOS, PAGOS], tmp_path, {eventos.TOPICO: eventos.EventosReserva}) as suite:
        creada = await reservada(suite, "tok")
        id = uuid.UUID(creada.id_reserva)
        await suite.mandar(aprobar(id))
        assert creada.monto is not None
        cobro = comandos_pago.PagarReserva(id_reserva=str(id), monto=creada.monto, medio=creada.medio_pago)
        await suite.mandar(
            mensaje(comandos_pago.ComandosPago, comandos_pago.TOPICO, "PagarReserva", id, pagar_reserva=cobro)
        )
        await suite.hasta(lambda: len(suite.tipos(id)) == 3, "se aprobara")
        assert suite.tipos(id) == ["ReservaCreada", "ReservaPagada", "ReservaAprobada"]


async def test_aprobar_lo_que_ya_se_cancelo_responde_que_no(tmp_path: Path) -> None:
    async with en_marcha([VUELOS, PAGOS], tmp_path, {eventos.TOPICO: eventos.EventosReserva}) as suite:
        id = uuid.UUID((await reservada(suite, "tok")).id_reserva)
        cancelar = comandos.CancelarReserva(id_reserva=str(id), motivo="sin plazas")
        await suite.mandar(pedido("CancelarReserva", id, cancelar_reserva=cancelar), aprobar(id))
        await suite.hasta(lambda: len(suite.tipos(id)) == 3, "se respondiera")
        assert suite.tipos(id) == ["ReservaCreada", "ReservaCancelada", "AprobacionFallida"]
        reserva = await suite.sistema.ejecutar_async(ObtenerReserva(id=id))
        assert (reserva.estado, reserva.motivo) == ("CANCELADA", "sin plazas")
