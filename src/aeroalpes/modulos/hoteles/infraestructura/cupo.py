"""El cupo en SQL: la base decide quién toma la última habitación."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from aeroalpes.modulos.hoteles.aplicacion.puertos import Noche
from aeroalpes.modulos.hoteles.infraestructura.schema.v1 import eventos
from aeroalpes.modulos.hoteles.infraestructura.tablas import estancias, noches
from seedwork.aplicacion.mensajes import Despachador
from seedwork.infraestructura.base_datos import insertar_si_falta
from seedwork.infraestructura.outbox import Servicio
from seedwork.infraestructura.schema.v1.mensajes import sobre

HABITACIONES = 20
"""Las que vendemos por hotel y noche."""
TOMADA, RECHAZADA, LIBERADA = "TOMADA", "RECHAZADA", "LIBERADA"


class CupoSQL:
    """Implementa `Cupo`: cada paso es una sentencia que sólo hace algo si todavía se puede."""

    def __init__(self, sesion: Session, despachador: Despachador, servicio: Servicio) -> None:
        self._sesion = sesion
        self._despachador = despachador
        self._servicio = servicio

    def tomar(self, id_reserva: UUID, noche: Noche) -> None:
        id = str(id_reserva)
        if not self._estrenar(id_reserva, TOMADA, noche):
            if self._cambiar(id_reserva, LIBERADA, LIBERADA) is not None:
                negada = eventos.HotelRechazado(id_reserva=id, motivo="La reserva ya se había liberado")
                self._anunciar("HotelRechazado", id, hotel_rechazado=negada)
            return
        if self._ocupar(noche):
            tomada = eventos.HotelReservado(id_reserva=id, hotel=noche.hotel, fecha=noche.fecha.isoformat())
            self._anunciar("HotelReservado", id, hotel_reservado=tomada)
        else:
            self._cambiar(id_reserva, TOMADA, RECHAZADA)
            negada = eventos.HotelRechazado(id_reserva=id, motivo="No quedan habitaciones esa noche")
            self._anunciar("HotelRechazado", id, hotel_rechazado=negada)

    def soltar(self, id_reserva: UUID) -> None:
        noche = self._cambiar(id_reserva, TOMADA, LIBERADA)
        if noche is not None:
            suya = update(noches).where(noches.c.hotel == noche.hotel, noches.c.fecha == noche.fecha)
            self._sesion.execute(suya.values(ocupadas=noches.c.ocupadas - 1))
        elif self._cambiar(id_reserva, RECHAZADA, LIBERADA) is None and not self._estrenar(id_reserva, LIBERADA):
            return
        liberada = eventos.HotelLiberado(id_reserva=str(id_reserva))
        self._anunciar("HotelLiberado", str(id_reserva), hotel_liberado=liberada)

    def _estrenar(self, id_reserva: UUID, estado: str, noche: Noche | None = None) -> bool:
        """Si era la primera vez que se oía hablar de la reserva."""
        donde = {"hotel": noche.hotel, "fecha": noche.fecha} if noche else {}
        fila = {"id_reserva": id_reserva, "estado": estado, **donde}
        return insertar_si_falta(self._sesion, estancias, fila, "id_reserva")

    def _cambiar(self, id_reserva: UUID, de: str, a: str) -> Any:
        """La noche de la reserva, si estaba en ese estado."""
        suya = update(estancias).where(estancias.c.id_reserva == id_reserva, estancias.c.estado == de)
        return self._sesion.execute(suya.values(estado=a).returning(estancias.c.hotel, estancias.c.fecha)).first()

    def _ocupar(self, noche: Noche) -> bool:
        vacia = {"hotel": noche.hotel, "fecha": noche.fecha, "ocupadas": 0}
        insertar_si_falta(self._sesion, noches, vacia, "hotel", "fecha")
        suya = update(noches).where(noches.c.hotel == noche.hotel, noches.c.fecha == noche.fecha)
        con_sitio = suya.where(noches.c.ocupadas < HABITACIONES).values(ocupadas=noches.c.ocupadas + 1)
        return self._sesion.execute(con_sitio.returning(noches.c.ocupadas)).first() is not None

    def _anunciar(self, tipo: str, clave: str, **variante: Any) -> None:
        registro = eventos.EventosHotel(**sobre(tipo, self._servicio), **variante)
        self._despachador.publicar(registro, topico=eventos.TOPICO, clave=clave)
