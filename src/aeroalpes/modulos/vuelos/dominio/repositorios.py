"""Lo que el dominio pide a quien guarda reservas."""

from __future__ import annotations

from typing import Protocol

from aeroalpes.modulos.vuelos.dominio.entidades import Reserva
from seedwork.dominio.repositorios import Repositorio


class RepositorioReservas(Repositorio[Reserva], Protocol):
    """Las reservas, por su id."""
