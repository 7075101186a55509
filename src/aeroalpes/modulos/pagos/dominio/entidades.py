"""El pago de una reserva: raíz del agregado, hecha de sus eventos."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from aeroalpes.modulos.pagos.dominio.eventos import (
    CobroAceptado,
    CobroEnDuda,
    CobroRechazado,
    CobroSolicitado,
    CobroTardio,
    EventoPago,
    PagoRevertido,
    ReversionSolicitada,
)
from aeroalpes.modulos.pagos.dominio.excepciones import DevolucionIncompleta
from aeroalpes.modulos.pagos.dominio.reglas import MontoPositivo
from seedwork.dominio.entidades import AgregacionRaiz
from seedwork.dominio.reglas import validar

ANULADO = "El pago se revirtió antes de cobrarse"


class EstadoPago(StrEnum):
    """Por dónde va un pago."""

    NUEVO = "NUEVO"
    SOLICITADO = "SOLICITADO"
    EN_DUDA = "EN_DUDA"
    COBRADO = "COBRADO"
    RECHAZADO = "RECHAZADO"
    REVIRTIENDO = "REVIRTIENDO"
    REVERTIDO = "REVERTIDO"


@dataclass(eq=False, kw_only=True)
class Pago(AgregacionRaiz):
    """Lo cobrado y lo devuelto por una reserva, en centavos; su `id` es el de la reserva.

    Un pago del que no se sabe nada es un `Pago` recién hecho. Cada verbo registra eventos y `aplicar` es lo único que
    cambia el estado: plegar los mismos eventos da siempre el mismo pago. Los verbos admiten repetirse y llegar en
    cualquier orden: se cobra una vez y, si se pidió revertir, acaba sin nada cobrado.
    """

    estado: EstadoPago = EstadoPago.NUEVO
    id_cliente: UUID | None = None
    monto: int = 0
    medio: str | None = None
    cobrado: int = 0
    devuelto: int = 0
    motivo: str | None = None

    @property
    def saldo(self) -> int:
        """Lo que la agencia tiene cobrado, en centavos; nunca menos de cero."""
        return self.cobrado - self.devuelto

    @property
    def pendientes(self) -> tuple[EventoPago, ...]:
        """Los eventos registrados que aún no se guardaron."""
        return tuple(evento for evento in self._eventos if isinstance(evento, EventoPago))

    def solicitar_cobro(self, monto: int, medio: str | None, id_cliente: UUID | None, fecha: datetime) -> None:
        """Deja pedido el cobro; se niega si ya se pidió revertirlo, y pregunta otra vez si quedó en duda."""
        validar(MontoPositivo(monto))
        if self.estado is EstadoPago.NUEVO:
            self._ocurrir(CobroSolicitado, fecha, monto=monto, medio=medio, id_cliente=id_cliente)
        elif self.estado is EstadoPago.EN_DUDA:
            self._ocurrir(CobroSolicitado, fecha, monto=self.monto, medio=self.medio)
        elif self.estado in (EstadoPago.REVIRTIENDO, EstadoPago.REVERTIDO):
            self._ocurrir(CobroRechazado, fecha, motivo=ANULADO)

    def aceptar(self, autorizacion: str, fecha: datetime) -> None:
        """La pasarela cobró."""
        if self.cobrado:
            return
        if self.estado in (EstadoPago.SOLICITADO, EstadoPago.EN_DUDA):
            self._ocurrir(CobroAceptado, fecha, monto=self.monto, autorizacion=autorizacion)
        else:
            self._ocurrir(CobroTardio, fecha, monto=self.monto)
            self._pedir_devolucion(self.motivo, fecha)

    def rechazar(self, motivo: str, fecha: datetime) -> None:
        """La pasarela no cobró ni cobrará."""
        if self.estado in (EstadoPago.SOLICITADO, EstadoPago.EN_DUDA):
            self._ocurrir(CobroRechazado, fecha, motivo=motivo)

    def dudar(self, fecha: datetime) -> None:
        """La pasarela no respondió; si ya estaba todo devuelto, hay que volver a asegurarse."""
        if self.estado is EstadoPago.SOLICITADO:
            self._ocurrir(CobroEnDuda, fecha)
        elif self.estado is EstadoPago.REVERTIDO:
            self._pedir_devolucion(self.motivo, fecha)

    def revertir(self, motivo: str | None, fecha: datetime) -> None:
        """Pide devolver lo que haya cobrado; si no puede haber nada, queda revertido desde ya."""
        if self.estado in (EstadoPago.NUEVO, EstadoPago.RECHAZADO):
            self._ocurrir(PagoRevertido, fecha, devuelto=0, motivo=motivo)
        elif self.estado not in (EstadoPago.REVIRTIENDO, EstadoPago.REVERTIDO):
            self._pedir_devolucion(motivo, fecha)

    def anotar_devolucion(self, total: int, fecha: datetime) -> None:
        """La pasarela lleva devueltos `total` centavos; `DevolucionIncompleta` si son menos de los que cobró."""
        if self.estado is not EstadoPago.REVIRTIENDO:
            return
        if total > self.cobrado:
            self._ocurrir(CobroTardio, fecha, monto=total - self.cobrado)
        if total < self.cobrado:
            raise DevolucionIncompleta(f"De la reserva {self.id} se cobró {self.cobrado} y sólo se devolvió {total}")
        self._ocurrir(PagoRevertido, fecha, devuelto=total - self.devuelto, motivo=self.motivo)

    def aplicar(self, evento: EventoPago) -> None:
        """Deja el pago como queda tras el evento, sin preguntar nada."""
        match evento:
            case CobroSolicitado():
                self.estado, self.id_cliente = EstadoPago.SOLICITADO, evento.id_cliente
                self.monto, self.medio = evento.monto, evento.medio
            case CobroAceptado():
                self.estado, self.cobrado = EstadoPago.COBRADO, self.cobrado + evento.monto
            case CobroTardio():
                self.cobrado += evento.monto
            case CobroRechazado() if self.estado not in (EstadoPago.REVIRTIENDO, EstadoPago.REVERTIDO):
                self.estado, self.motivo = EstadoPago.RECHAZADO, evento.motivo
            case CobroEnDuda():
                self.estado = EstadoPago.EN_DUDA
            case ReversionSolicitada():
                self.estado, self.motivo = EstadoPago.REVIRTIENDO, evento.motivo
            case PagoRevertido():
                self.estado, self.motivo = EstadoPago.REVERTIDO, evento.motivo
                self.devuelto += evento.devuelto

    def _pedir_devolucion(self, motivo: str | None, fecha: datetime) -> None:
        self._ocurrir(ReversionSolicitada, fecha, monto=self.monto, medio=self.medio, motivo=motivo)

    def _ocurrir(self, tipo: type[EventoPago], fecha: datetime, **datos: Any) -> None:
        evento = tipo(**{"id_reserva": self.id, "id_cliente": self.id_cliente, "fecha": fecha, **datos})
        self.aplicar(evento)
        self.registrar(evento)
