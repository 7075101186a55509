"""Los pagos como una fila por evento, que sólo se añaden."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from aeroalpes.modulos.pagos.aplicacion.dto import MovimientoDTO, PagoDTO
from aeroalpes.modulos.pagos.dominio.entidades import Pago
from aeroalpes.modulos.pagos.infraestructura.mapeadores import (
    FORMA,
    a_instantanea,
    de_instantanea,
    evento_a_json,
    evento_de_json,
)
from aeroalpes.modulos.pagos.infraestructura.tablas import eventos, instantaneas
from seedwork.dominio.excepciones import ConflictoConcurrencia, NoEncontrado
from seedwork.infraestructura.base_datos import insertar_si_falta
from seedwork.infraestructura.uow import UnidadTrabajoSQLAlchemy

CADA = 3
"""Cada cuántos eventos se guarda una instantánea; un pago corriente tiene dos, y uno que se revierte, cuatro."""


class PagosPorEventos:
    """Implementa `RepositorioPagos`: la versión de un pago es el número de su último evento.

    Añadir exige que el número siguiente esté libre; la clave primaria decide entre dos que lo quieren a la vez.
    """

    def __init__(self, uow: UnidadTrabajoSQLAlchemy) -> None:
        self._uow = uow

    def obtener(self, id: UUID) -> Pago:
        pago = self._uow.seguido(Pago, id)
        if pago is None:
            pago = self._desde_instantanea(id) or Pago(id=id)
            suyos = select(eventos).where(eventos.c.id_pago == id, eventos.c.version > pago.version)
            for fila in self._uow.sesion.execute(suyos.order_by(eventos.c.version)):
                pago.aplicar(evento_de_json(fila.tipo, fila.datos))
                pago.version = fila.version
            self._uow.seguir(pago, self.guardar)
        return pago

    def guardar(self, agregado: Pago) -> None:
        leida = agregado.version
        for evento in agregado.pendientes:
            tipo, datos = evento_a_json(evento)
            fila = {"id_pago": agregado.id, "version": agregado.version + 1, "tipo": tipo, "datos": datos}
            if not insertar_si_falta(self._uow.sesion, eventos, fila, "id_pago", "version"):
                raise ConflictoConcurrencia(f"Otro cambió el pago {agregado.id} mientras se usaba")
            agregado.version += 1
        if agregado.version // CADA > leida // CADA:
            self._guardar_instantanea(agregado)
        self._uow.seguir(agregado, self.guardar)
        self._uow.anotar_eventos(agregado)

    def _desde_instantanea(self, id: UUID) -> Pago | None:
        suya = select(instantaneas).where(instantaneas.c.id_pago == id, instantaneas.c.forma == FORMA)
        fila = self._uow.sesion.execute(suya).first()
        return de_instantanea(id, fila.version, fila.datos) if fila else None

    def _guardar_instantanea(self, pago: Pago) -> None:
        sesion = self._uow.sesion
        sesion.execute(delete(instantaneas).where(instantaneas.c.id_pago == pago.id))
        fila = {"id_pago": pago.id, "version": pago.version, "forma": FORMA, "datos": a_instantanea(pago)}
        sesion.execute(insert(instantaneas).values(fila))


class VistaPagosSQLAlchemy:
    """Implementa `VistaPagos`: lo que se lee es el pliegue de todos los eventos, que son también sus movimientos."""

    def __init__(self, sesion: Session) -> None:
        self._sesion = sesion

    def de_reserva(self, id_reserva: UUID) -> PagoDTO:
        suyos = select(eventos).where(eventos.c.id_pago == id_reserva).order_by(eventos.c.version)
        ocurridos = [evento_de_json(fila.tipo, fila.datos) for fila in self._sesion.execute(suyos)]
        if not ocurridos:
            raise NoEncontrado(f"No hay ningún pago de la reserva {id_reserva}")
        pago = Pago(id=id_reserva)
        for evento in ocurridos:
            pago.aplicar(evento)
        return PagoDTO(
            id_reserva=id_reserva,
            estado=str(pago.estado),
            monto=pago.monto,
            saldo=pago.saldo,
            motivo=pago.motivo,
            movimientos=tuple(
                MovimientoDTO(type(e).__name__, e.fecha, getattr(e, "devuelto", getattr(e, "monto", None)))
                for e in ocurridos
            ),
        )
