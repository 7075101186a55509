"""Qué tópicos lee la página y qué cuenta de cada uno."""

from __future__ import annotations

from aeroalpes.modulos.cliente.infraestructura.schema.v1 import eventos as eventos_cliente
from aeroalpes.modulos.gds.infraestructura.schema.v1 import comandos as comandos_gds
from aeroalpes.modulos.gds.infraestructura.schema.v1 import eventos as eventos_gds
from aeroalpes.modulos.hoteles.infraestructura.schema.v1 import comandos as comandos_hotel
from aeroalpes.modulos.hoteles.infraestructura.schema.v1 import eventos as eventos_hotel
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import comandos as comandos_pago
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import eventos as eventos_pago
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import pasarela
from aeroalpes.modulos.vehiculos.infraestructura.schema.v1 import comandos as comandos_vehiculo
from aeroalpes.modulos.vehiculos.infraestructura.schema.v1 import eventos as eventos_vehiculo
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos as comandos_reserva
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import eventos as eventos_reserva
from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion

PUBLICOS = frozenset({"ReservaCreada", "ReservaPagada", "ReservaAprobada", "ReservaCancelada"})
"""De `eventos-reserva`, lo que se le cuenta a cualquiera; lo demás es cosa de la saga."""

CORREOS = "correo.*"

CONTADOS: dict[str, type[EventoIntegracion]] = {
    eventos_reserva.TOPICO: eventos_reserva.EventosReserva,
    eventos_pago.TOPICO: eventos_pago.EventosPago,
    eventos_gds.TOPICO: eventos_gds.EventosGds,
    eventos_hotel.TOPICO: eventos_hotel.EventosHotel,
    eventos_vehiculo.TOPICO: eventos_vehiculo.EventosVehiculo,
}
"""Lo que le pasa a una reserva: se cuenta entero, y con qué registro se lee."""

DE_PASO = frozenset(
    modulo.TOPICO
    for modulo in (
        comandos_reserva,
        comandos_pago,
        pasarela,
        comandos_gds,
        comandos_hotel,
        comandos_vehiculo,
        eventos_cliente,
    )
)
"""Lo que se piden los contextos, y los datos de los clientes: se cuenta que pasó, y no lo que dice."""

TOPICOS = (*CONTADOS, *sorted(DE_PASO), CORREOS)
RESERVA = eventos_reserva.TOPICO
