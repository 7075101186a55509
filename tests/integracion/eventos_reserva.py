"""Eventos de `eventos-reserva` como los publica vuelos, para ponerlos en el broker sin pasar por él."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos, eventos
from seedwork.infraestructura.brokers import Broker, Mensaje, conectar
from seedwork.infraestructura.codificacion import codificar
from seedwork.infraestructura.schema.v1.mensajes import sobre

SERVICIO = "aeroalpes"


@asynccontextmanager
async def conectado(url: str) -> AsyncIterator[Broker]:
    broker = conectar(url)
    try:
        yield broker
    finally:
        await broker.cerrar()


def creada(id_reserva: UUID | None = None) -> Mensaje:
    id = str(id_reserva or uuid4())
    variante = eventos.ReservaCreada(id_reserva=id, estado="PENDIENTE", fecha_creacion=1_700_000_000_000)
    return _mensaje("ReservaCreada", id, reserva_creada=variante)


def aprobada(id_reserva: UUID) -> Mensaje:
    variante = eventos.ReservaAprobada(
        id_reserva=str(id_reserva), estado="APROBADA", fecha_actualizacion=1_700_000_000_000
    )
    return _mensaje("ReservaAprobada", str(id_reserva), reserva_aprobada=variante)


def pedido(tipo: str, id_reserva: str, **datos: str) -> Mensaje:
    """Un comando de una variante: `pedido("CancelarReserva", id, motivo="...")`."""
    variantes = {
        "RegistrarPago": ("registrar_pago", comandos.RegistrarPago),
        "AprobarReserva": ("aprobar_reserva", comandos.AprobarReserva),
        "CancelarReserva": ("cancelar_reserva", comandos.CancelarReserva),
    }
    campo, clase = variantes[tipo]
    comando = comandos.ComandosReserva(**sobre(tipo, "pruebas"), **{campo: clase(id_reserva=id_reserva, **datos)})
    return codificar(comando, topico=comandos.TOPICO, servicio="pruebas", clave=id_reserva)


def _mensaje(tipo: str, id_reserva: str, **variante: object) -> Mensaje:
    registro = eventos.EventosReserva(**sobre(tipo, SERVICIO), **variante)  # type: ignore[arg-type]
    return codificar(registro, topico=eventos.TOPICO, servicio=SERVICIO, clave=id_reserva)
