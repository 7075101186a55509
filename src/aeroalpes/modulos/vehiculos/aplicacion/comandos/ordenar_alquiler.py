"""Dar una orden al alquiler de una reserva."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from uuid import UUID

from aeroalpes.modulos.vehiculos.aplicacion.puertos import Alquileres
from aeroalpes.modulos.vehiculos.dominio.alquiler import Orden, decidir, evolucionar
from seedwork.aplicacion.comandos import Comando


@dataclass(frozen=True, kw_only=True)
class OrdenarAlquiler(Comando[None]):
    id_reserva: UUID
    orden: Orden


def ordenar_alquiler(comando: OrdenarAlquiler, alquileres: Alquileres) -> None:
    fase = alquileres.fase(comando.id_reserva)
    hechos = decidir(fase, comando.orden)
    if hechos:
        alquileres.pasar(comando.id_reserva, fase, reduce(evolucionar, hechos, fase), hechos)
