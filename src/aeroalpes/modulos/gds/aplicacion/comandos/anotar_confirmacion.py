"""Anotar lo que el GDS respondió cuando se le pidieron plazas."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aeroalpes.modulos.gds.aplicacion.puertos import Confirmada, SinPlazas
from aeroalpes.modulos.gds.dominio.repositorios import RepositorioConfirmaciones
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import Reloj

SIN_RESPUESTA = "El sistema de las aerolíneas no responde"


@dataclass(frozen=True, kw_only=True)
class AnotarConfirmacion(Comando[None]):
    """`respuesta` es None si el GDS no respondió."""

    id_reserva: UUID
    respuesta: Confirmada | SinPlazas | None


def anotar_confirmacion(comando: AnotarConfirmacion, confirmaciones: RepositorioConfirmaciones, reloj: Reloj) -> None:
    confirmacion = confirmaciones.obtener(comando.id_reserva)
    match comando.respuesta:
        case Confirmada(localizador):
            confirmacion.confirmar(localizador, reloj.ahora())
        case SinPlazas(motivo):
            confirmacion.rechazar(motivo, reloj.ahora(), en_duda=False)
        case None:
            confirmacion.rechazar(SIN_RESPUESTA, reloj.ahora(), en_duda=True)
    confirmaciones.guardar(confirmacion)
