"""Anotar lo que la pasarela respondió a un cobro."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.pagos.aplicacion.puertos import Aceptado, Rechazado
from aeroalpes.modulos.pagos.dominio.repositorios import RepositorioPagos
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj


@dataclass(frozen=True, kw_only=True)
class AnotarCobro(Comando[None]):
    """`respuesta` es None si la pasarela no respondió."""

    id_reserva: UUID
    respuesta: Aceptado | Rechazado | None


def anotar_cobro(comando: AnotarCobro, pagos: RepositorioPagos, reloj: Reloj) -> None:
    pago = pagos.obtener(comando.id_reserva)
    match comando.respuesta:
        case Aceptado(autorizacion):
            pago.aceptar(autorizacion, reloj.ahora())
        case Rechazado(motivo):
            pago.rechazar(motivo, reloj.ahora())
        case None:
            pago.dudar(reloj.ahora())
    pagos.guardar(pago)
