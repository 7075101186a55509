"""Lo que los casos de uso piden al resto del mundo, además de guardar reservas."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva
from aeroalpes.modulos.vuelos.aplicacion.dto import PaginaReservas, ReservaDTO


class DespachadorComandos(Protocol):
    """Manda comandos a la propia cola del módulo; salen si la transacción se confirma."""

    def pedir(self, comando: CrearReserva) -> None: ...


class VistaReservas(Protocol):
    """La lectura de reservas, aparte de los agregados."""

    def por_id(self, id: UUID) -> ReservaDTO:
        """`NoEncontrado` si no hay."""
        ...

    def pagina(self, limite: int, cursor: str | None) -> PaginaReservas:
        """`CursorInvalido` si el cursor no lo dio una página anterior."""
        ...


class CursorInvalido(Exception):
    """El cursor no es de los que una página entrega."""
