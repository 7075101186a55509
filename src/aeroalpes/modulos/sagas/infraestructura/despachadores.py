"""De lo que la saga manda al mensaje que espera cada contexto, por el outbox."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from aeroalpes.modulos.gds.infraestructura.schema.v1 import comandos as comandos_gds
from aeroalpes.modulos.hoteles.infraestructura.schema.v1 import comandos as comandos_hotel
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import comandos as comandos_pago
from aeroalpes.modulos.sagas.aplicacion import comandos
from aeroalpes.modulos.vehiculos.infraestructura.schema.v1 import comandos as comandos_vehiculo
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos as comandos_reserva
from seedwork.aplicacion.mensajes import Despachador
from seedwork.infraestructura.outbox import Servicio
from seedwork.infraestructura.schema.v1.mensajes import ComandoIntegracion, sobre


class Remitente:
    """Deja en el outbox un comando de integración, en el orden de su reserva."""

    def __init__(self, despachador: Despachador, servicio: Servicio) -> None:
        self._despachador = despachador
        self._servicio = servicio

    def mandar(self, registro: type[ComandoIntegracion], topico: str, id_reserva: UUID, **variante: Any) -> None:
        tipo = type(next(iter(variante.values()))).__name__
        self._despachador.publicar(
            registro(**sobre(tipo, self._servicio), **variante), topico=topico, clave=str(id_reserva)
        )


def pagar_reserva(comando: comandos.PagarReserva, remitente: Remitente) -> None:
    pagar = comandos_pago.PagarReserva(
        id_reserva=str(comando.id_reserva),
        id_cliente=str(comando.id_cliente) if comando.id_cliente else None,
        monto=comando.monto,
        medio=comando.medio,
    )
    remitente.mandar(comandos_pago.ComandosPago, comandos_pago.TOPICO, comando.id_reserva, pagar_reserva=pagar)


def revertir_pago(comando: comandos.RevertirPago, remitente: Remitente) -> None:
    revertir = comandos_pago.RevertirPago(id_reserva=str(comando.id_reserva), motivo=comando.motivo)
    remitente.mandar(comandos_pago.ComandosPago, comandos_pago.TOPICO, comando.id_reserva, revertir_pago=revertir)


def confirmar_reserva(comando: comandos.ConfirmarReserva, remitente: Remitente) -> None:
    confirmar = comandos_gds.ConfirmarReserva(
        id_reserva=str(comando.id_reserva),
        tramos=[
            comandos_gds.Tramo(
                origen=tramo.origen,
                destino=tramo.destino,
                fecha_salida=tramo.fecha_salida,
                fecha_llegada=tramo.fecha_llegada,
            )
            for tramo in comando.tramos
        ],
    )
    remitente.mandar(comandos_gds.ComandosGds, comandos_gds.TOPICO, comando.id_reserva, confirmar_reserva=confirmar)


def revertir_confirmacion(comando: comandos.RevertirConfirmacion, remitente: Remitente) -> None:
    revertir = comandos_gds.RevertirConfirmacion(id_reserva=str(comando.id_reserva), motivo=comando.motivo)
    remitente.mandar(comandos_gds.ComandosGds, comandos_gds.TOPICO, comando.id_reserva, revertir_confirmacion=revertir)


def reservar_hotel(comando: comandos.ReservarHotel, remitente: Remitente) -> None:
    reservar = comandos_hotel.ReservarHotel(
        id_reserva=str(comando.id_reserva), hotel=comando.hotel.hotel, fecha=comando.hotel.fecha.isoformat()
    )
    remitente.mandar(comandos_hotel.ComandosHotel, comandos_hotel.TOPICO, comando.id_reserva, reservar_hotel=reservar)


def liberar_hotel(comando: comandos.LiberarHotel, remitente: Remitente) -> None:
    liberar = comandos_hotel.LiberarHotel(id_reserva=str(comando.id_reserva), motivo=comando.motivo)
    remitente.mandar(comandos_hotel.ComandosHotel, comandos_hotel.TOPICO, comando.id_reserva, liberar_hotel=liberar)


def reservar_vehiculo(comando: comandos.ReservarVehiculo, remitente: Remitente) -> None:
    reservar = comandos_vehiculo.ReservarVehiculo(
        id_reserva=str(comando.id_reserva),
        dias=comando.vehiculo.dias,
        edad_conductor=comando.vehiculo.edad_conductor,
    )
    remitente.mandar(
        comandos_vehiculo.ComandosVehiculo, comandos_vehiculo.TOPICO, comando.id_reserva, reservar_vehiculo=reservar
    )


def liberar_vehiculo(comando: comandos.LiberarVehiculo, remitente: Remitente) -> None:
    liberar = comandos_vehiculo.LiberarVehiculo(id_reserva=str(comando.id_reserva), motivo=comando.motivo)
    remitente.mandar(
        comandos_vehiculo.ComandosVehiculo, comandos_vehiculo.TOPICO, comando.id_reserva, liberar_vehiculo=liberar
    )


def aprobar_reserva(comando: comandos.AprobarReserva, remitente: Remitente) -> None:
    aprobar = comandos_reserva.AprobarReserva(id_reserva=str(comando.id_reserva))
    remitente.mandar(
        comandos_reserva.ComandosReserva, comandos_reserva.TOPICO, comando.id_reserva, aprobar_reserva=aprobar
    )


def cancelar_reserva(comando: comandos.CancelarReserva, remitente: Remitente) -> None:
    cancelar = comandos_reserva.CancelarReserva(id_reserva=str(comando.id_reserva), motivo=comando.motivo)
    remitente.mandar(
        comandos_reserva.ComandosReserva, comandos_reserva.TOPICO, comando.id_reserva, cancelar_reserva=cancelar
    )
