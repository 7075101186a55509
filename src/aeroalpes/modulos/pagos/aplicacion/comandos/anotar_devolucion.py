"""Anotar lo que la pasarela devolvió."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.pagos.dominio.repositorios import RepositorioPagos
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj


@dataclass(frozen=True, kw_only=True)
class AnotarDevolucion(Comando[None]):
    """`total` son los centavos que la pasarela lleva devueltos por esa reserva."""

    id_reserva: UUID
    total: int


def anotar_devolucion(comando: AnotarDevolucion, pagos: RepositorioPagos, reloj: Reloj) -> None:
    pago = pagos.obtener(comando.id_reserva)
    pago.anotar_devolucion(comando.total, reloj.ahora())
    pagos.guardar(pago)
