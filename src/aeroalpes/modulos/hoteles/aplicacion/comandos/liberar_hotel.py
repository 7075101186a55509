"""Soltar la noche de hotel de una reserva."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.hoteles.aplicacion.puertos import Cupo
from seedwork.aplicacion.comandos import Comando


@dataclass(frozen=True, kw_only=True)
class LiberarHotel(Comando[None]):
    id_reserva: UUID


def liberar_hotel(comando: LiberarHotel, cupo: Cupo) -> None:
    cupo.soltar(comando.id_reserva)
