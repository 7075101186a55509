"""Reservar una noche de hotel."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.hoteles.aplicacion.puertos import Cupo, Noche
from seedwork.aplicacion.comandos import Comando


@dataclass(frozen=True, kw_only=True)
class ReservarHotel(Comando[None]):
    id_reserva: UUID
    noche: Noche


def reservar_hotel(comando: ReservarHotel, cupo: Cupo) -> None:
    cupo.tomar(comando.id_reserva, comando.noche)
