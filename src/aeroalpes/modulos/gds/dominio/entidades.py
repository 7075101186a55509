"""La confirmación de una reserva: raíz del agregado."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aeroalpes.modulos.gds.dominio.eventos import (
    ConfirmacionRechazada,
    ConfirmacionRevertida,
    PlazasSobrantes,
    ReservaConfirmada,
)
from aeroalpes.modulos.gds.dominio.objetos_valor import EstadoConfirmacion
from seedwork.dominio.entidades import AgregacionRaiz


@dataclass(eq=False, kw_only=True)
class Confirmacion(AgregacionRaiz):
    """Lo que se sabe de las plazas de una reserva; su `id` es el de la reserva.

    Primero se llama al GDS y luego se anota aquí, así que puede traer plazas que ya no se quieren: entonces lo dice,
    para que se suelten. Los verbos admiten repetirse y llegar en cualquier orden.
    """

    estado: EstadoConfirmacion = EstadoConfirmacion.NUEVA
    localizador: str | None = None
    motivo: str | None = None

    def confirmar(self, localizador: str, fecha: datetime) -> None:
        """El GDS dio plazas; si la reserva ya se rechazó o se revirtió, sobran."""
        if self.estado is EstadoConfirmacion.NUEVA:
            self.estado, self.localizador = EstadoConfirmacion.CONFIRMADA, localizador
            self.registrar(ReservaConfirmada(id_reserva=self.id, localizador=localizador, fecha=fecha))
        elif self.estado is not EstadoConfirmacion.CONFIRMADA:
            self._negar(f"La confirmación ya estaba {self.estado}", fecha)
            self._soltar(fecha)

    def rechazar(self, motivo: str, fecha: datetime, *, en_duda: bool) -> None:
        """El GDS no dio plazas o, con `en_duda`, no dijo si las dio: por si acaso, se sueltan."""
        if self.estado is EstadoConfirmacion.CONFIRMADA:
            return
        if self.estado is EstadoConfirmacion.NUEVA:
            self.estado, self.motivo = EstadoConfirmacion.RECHAZADA, motivo
        self._negar(motivo, fecha)
        if en_duda:
            self._soltar(fecha)

    def revertir(self, fecha: datetime) -> None:
        """El GDS no tiene ya plazas de esta reserva, y las que diera después sobrarán."""
        if self.estado is not EstadoConfirmacion.REVERTIDA:
            self.estado, self.localizador = EstadoConfirmacion.REVERTIDA, None
            self.registrar(ConfirmacionRevertida(id_reserva=self.id, fecha=fecha))

    def _negar(self, motivo: str, fecha: datetime) -> None:
        self.registrar(ConfirmacionRechazada(id_reserva=self.id, motivo=motivo, fecha=fecha))

    def _soltar(self, fecha: datetime) -> None:
        self.registrar(PlazasSobrantes(id_reserva=self.id, fecha=fecha))
