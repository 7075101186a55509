"""Lo que vuelos recibe del broker: cada mensaje se traduce a un comando del módulo, y nada más."""

from __future__ import annotations

from uuid import UUID

from aeroalpes.modulos.vuelos.aplicacion.comandos.aprobar_reserva import AprobarReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.cancelar_reserva import CancelarReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.registrar_pago import RegistrarPago
from aeroalpes.modulos.vuelos.aplicacion.dto import AeropuertoDTO, ItinerarioDTO, LegDTO, OdoDTO, SegmentoDTO
from aeroalpes.modulos.vuelos.infraestructura.fechas import de_ms
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos
from seedwork.aplicacion.comandos import Comando
from seedwork.infraestructura.declaracion import message_handler
from seedwork.infraestructura.politica import ErrorPermanente


@message_handler(
    comandos.TOPICO,
    suscripcion="aeroalpes-sub-comandos",
    permanentes=(ValueError, OverflowError),  # un id o una fecha que no lo son no mejoran con el tiempo
)
def al_recibir_comando(mensaje: comandos.ComandosReserva) -> Comando[UUID] | Comando[None]:
    if mensaje.crear_reserva is not None:
        return _crear(mensaje.crear_reserva)
    if mensaje.registrar_pago is not None:
        return RegistrarPago(id_reserva=UUID(mensaje.registrar_pago.id_reserva))
    if mensaje.aprobar_reserva is not None:
        return AprobarReserva(id_reserva=UUID(mensaje.aprobar_reserva.id_reserva))
    if mensaje.cancelar_reserva is not None:
        cancelar = mensaje.cancelar_reserva
        return CancelarReserva(id_reserva=UUID(cancelar.id_reserva), motivo=cancelar.motivo)
    raise ErrorPermanente(f"El comando {mensaje.type!r} no trae ninguna variante conocida")


def _crear(comando: comandos.CrearReserva) -> CrearReserva:
    return CrearReserva(
        id=UUID(comando.id_reserva),
        id_cliente=UUID(comando.id_cliente) if comando.id_cliente else None,
        itinerarios=tuple(_itinerario(itinerario) for itinerario in comando.itinerarios),
        pasajeros=tuple(comando.pasajeros),
        medio_pago=comando.medio_pago,
    )


def _itinerario(itinerario: comandos.Itinerario) -> ItinerarioDTO:
    return ItinerarioDTO(
        tuple(
            OdoDTO(tuple(SegmentoDTO(tuple(_leg(leg) for leg in segmento.legs)) for segmento in odo.segmentos))
            for odo in itinerario.odos
        )
    )


def _leg(leg: comandos.Leg) -> LegDTO:
    return LegDTO(
        de_ms(leg.fecha_salida),
        de_ms(leg.fecha_llegada),
        AeropuertoDTO(leg.origen.codigo, leg.origen.nombre),
        AeropuertoDTO(leg.destino.codigo, leg.destino.nombre),
    )
