"""Los alquileres en SQLAlchemy: se guarda la fase y se anuncia lo que pasó."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aeroalpes.modulos.vehiculos.dominio.alquiler import Apartado, Fase, Hecho, Negado, Suelto
from aeroalpes.modulos.vehiculos.infraestructura.schema.v1 import eventos
from aeroalpes.modulos.vehiculos.infraestructura.tablas import alquileres
from seedwork.aplicacion.mensajes import Despachador
from seedwork.dominio.excepciones import ConflictoConcurrencia
from seedwork.infraestructura.base_datos import insertar_si_falta
from seedwork.infraestructura.outbox import Servicio
from seedwork.infraestructura.schema.v1.mensajes import sobre


class AlquileresSQLAlchemy:
    """Implementa `Alquileres`."""

    def __init__(self, sesion: Session, despachador: Despachador, servicio: Servicio) -> None:
        self._sesion = sesion
        self._despachador = despachador
        self._servicio = servicio

    def fase(self, id_reserva: UUID) -> Fase:
        suya = select(alquileres.c.fase).where(alquileres.c.id_reserva == id_reserva)
        return Fase(self._sesion.execute(suya).scalar_one_or_none() or Fase.NINGUNO)

    def pasar(self, id_reserva: UUID, de: Fase, a: Fase, hechos: Sequence[Hecho]) -> None:
        if not self._escribir(id_reserva, de, a):
            raise ConflictoConcurrencia(f"Otro cambió el alquiler de la reserva {id_reserva} mientras se usaba")
        for hecho in hechos:
            self._despachador.publicar(
                self._traducir(str(id_reserva), hecho), topico=eventos.TOPICO, clave=str(id_reserva)
            )

    def _escribir(self, id_reserva: UUID, de: Fase, a: Fase) -> bool:
        if de is Fase.NINGUNO:
            fila = {"id_reserva": id_reserva, "fase": str(a)}
            return insertar_si_falta(self._sesion, alquileres, fila, "id_reserva")
        suya = update(alquileres).where(alquileres.c.id_reserva == id_reserva, alquileres.c.fase == str(de))
        return self._sesion.execute(suya.values(fase=str(a)).returning(alquileres.c.fase)).first() is not None

    def _traducir(self, id: str, hecho: Hecho) -> eventos.EventosVehiculo:
        match hecho:
            case Apartado(dias):
                reservado = eventos.VehiculoReservado(id_reserva=id, dias=dias)
                return eventos.EventosVehiculo(
                    **sobre("VehiculoReservado", self._servicio), vehiculo_reservado=reservado
                )
            case Negado(motivo):
                rechazado = eventos.VehiculoRechazado(id_reserva=id, motivo=motivo)
                return eventos.EventosVehiculo(
                    **sobre("VehiculoRechazado", self._servicio), vehiculo_rechazado=rechazado
                )
            case Suelto():
                liberado = eventos.VehiculoLiberado(id_reserva=id)
                return eventos.EventosVehiculo(**sobre("VehiculoLiberado", self._servicio), vehiculo_liberado=liberado)
