"""La reserva: raíz del agregado."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from aeroalpes.modulos.vuelos.dominio.eventos import (
    AprobacionFallida,
    ReservaAprobada,
    ReservaCancelada,
    ReservaCreada,
    ReservaPagada,
)
from aeroalpes.modulos.vuelos.dominio.objetos_valor import (
    EstadoReserva,
    Hotel,
    Itinerario,
    Producto,
    TipoPasajero,
    Vehiculo,
)
from aeroalpes.modulos.vuelos.dominio.reglas import AlMenosUnAdulto, AlMenosUnItinerario, EstadoPermite
from aeroalpes.modulos.vuelos.dominio.tarifas import monto_de
from seedwork.dominio.entidades import AgregacionRaiz
from seedwork.dominio.reglas import validar


@dataclass(eq=False, kw_only=True)
class Reserva(AgregacionRaiz):
    """Un viaje reservado; `monto` es lo que cuesta, en centavos.

    `medio_pago` es la ficha que dio el cliente para pagarlo, si la dio; `hotel` y `vehiculo`, lo que quiere además.
    `confirmados` es lo que ya se sabe que tiene, cuando nadie lleva la cuenta por ella.
    """

    id_cliente: UUID | None
    itinerarios: tuple[Itinerario, ...]
    pasajeros: tuple[TipoPasajero, ...]
    medio_pago: str | None
    hotel: Hotel | None
    vehiculo: Vehiculo | None
    monto: int
    estado: EstadoReserva
    motivo: str | None
    fecha_creacion: datetime
    fecha_actualizacion: datetime
    confirmados: frozenset[Producto] = frozenset()

    @classmethod
    def crear(
        cls,
        *,
        id: UUID,
        itinerarios: tuple[Itinerario, ...],
        fecha: datetime,
        id_cliente: UUID | None = None,
        pasajeros: tuple[TipoPasajero, ...] = (),
        medio_pago: str | None = None,
        hotel: Hotel | None = None,
        vehiculo: Vehiculo | None = None,
    ) -> Self:
        validar(AlMenosUnItinerario(itinerarios), AlMenosUnAdulto(pasajeros))
        reserva = cls(
            id=id,
            id_cliente=id_cliente,
            itinerarios=itinerarios,
            pasajeros=pasajeros,
            medio_pago=medio_pago,
            hotel=hotel,
            vehiculo=vehiculo,
            monto=monto_de(itinerarios, pasajeros),
            estado=EstadoReserva.PENDIENTE,
            motivo=None,
            fecha_creacion=fecha,
            fecha_actualizacion=fecha,
        )
        reserva.registrar(
            ReservaCreada(
                id_reserva=id,
                id_cliente=id_cliente,
                estado=reserva.estado,
                fecha_creacion=fecha,
                legs=tuple(leg for itinerario in itinerarios for leg in itinerario.legs),
                monto=reserva.monto,
                medio_pago=medio_pago,
                hotel=hotel,
                vehiculo=vehiculo,
                fecha=fecha,
            )
        )
        return reserva

    def pagar(self, fecha: datetime) -> None:
        self._pasar_a(EstadoReserva.PAGADA, fecha)
        self.registrar(ReservaPagada(id_reserva=self.id, id_cliente=self.id_cliente, fecha=fecha))
        self._aprobar_si_esta_completa(fecha)

    def confirmar(self, producto: Producto, fecha: datetime) -> None:
        """Ya tiene ese producto; con todos los que lleva y el pago, queda aprobada."""
        self.confirmados |= {producto}
        self._aprobar_si_esta_completa(fecha)

    def aprobar(self, fecha: datetime) -> None:
        self._pasar_a(EstadoReserva.APROBADA, fecha)
        self.registrar(ReservaAprobada(id_reserva=self.id, id_cliente=self.id_cliente, fecha=fecha))

    def negar_aprobacion(self, motivo: str, fecha: datetime) -> None:
        """Responde que no a quien pidió aprobarla; la reserva sigue como está."""
        self.registrar(
            AprobacionFallida(
                id_reserva=self.id, id_cliente=self.id_cliente, estado=self.estado, motivo=motivo, fecha=fecha
            )
        )

    def cancelar(self, motivo: str, fecha: datetime) -> None:
        self._pasar_a(EstadoReserva.CANCELADA, fecha)
        self.motivo = motivo
        self.registrar(ReservaCancelada(id_reserva=self.id, id_cliente=self.id_cliente, motivo=motivo, fecha=fecha))

    def _aprobar_si_esta_completa(self, fecha: datetime) -> None:
        if self.estado is EstadoReserva.PAGADA and self.confirmados >= self._productos():
            self.aprobar(fecha)

    def _productos(self) -> set[Producto]:
        opcionales = {Producto.HOTEL: self.hotel, Producto.VEHICULO: self.vehiculo}
        return {Producto.VUELOS, *(producto for producto, pedido in opcionales.items() if pedido)}

    def _pasar_a(self, estado: EstadoReserva, fecha: datetime) -> None:
        validar(EstadoPermite(self.estado, estado))
        self.estado = estado
        self.fecha_actualizacion = fecha
