"""Anotar que el GDS no tiene ya plazas de una reserva."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.gds.dominio.repositorios import RepositorioConfirmaciones
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj


@dataclass(frozen=True, kw_only=True)
class AnotarLiberacion(Comando[None]):
    id_reserva: UUID


def anotar_liberacion(comando: AnotarLiberacion, confirmaciones: RepositorioConfirmaciones, reloj: Reloj) -> None:
    confirmacion = confirmaciones.obtener(comando.id_reserva)
    confirmacion.revertir(reloj.ahora())
    confirmaciones.guardar(confirmacion)
