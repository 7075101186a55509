"""Lo que notificaciones oye: cada hecho de una reserva que le importa a una persona se le cuenta por correo."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aeroalpes.modulos.vuelos.infraestructura.schema.v1.eventos import TOPICO, EventosReserva
from notificaciones.aviso import Aviso, TipoAviso
from notificaciones.cartero import Cartero, CorreoRechazado
from notificaciones.configuracion import Configuracion
from notificaciones.correo import componer
from notificaciones.libreta import Contacto, Libreta
from seedwork.infraestructura.declaracion import message_handler
from seedwork.infraestructura.politica import Reintentos

# El servidor de correo puede faltar horas: se insiste sin límite, cada vez más despacio, y sólo espera esa reserva.
INSISTENCIA = Reintentos(maximo=None, espera_s=1, factor=2, jitter=0.2, tope_s=60)
ESPERA_CLIENTE_S = 5.0
"""Cuánto se espera a oír hablar del cliente de una reserva: su alta viaja por otro tópico y puede llegar después."""


class ClienteSinConocer(Exception):
    """Todavía no se ha oído hablar del cliente de una reserva recién hecha."""


@message_handler(
    TOPICO,
    suscripcion="sub-notificacion-eventos-reservas",
    reintentos=INSISTENCIA,
    # Un id o una fecha que no lo son no mejoran con el tiempo.
    permanentes=(ValueError, OverflowError, CorreoRechazado),
)
async def avisar(
    evento: EventosReserva, cartero: Cartero, configuracion: Configuracion, libreta: Libreta
) -> list[dict[str, Any]]:
    """Escribe a la dirección del cliente o, si no se conoce, a la de la configuración."""
    aviso = a_aviso(evento, configuracion.destinatario, await _contacto(evento, libreta))
    if aviso is None:
        return []
    correo = componer(aviso, configuracion.remitente)
    await cartero.enviar(correo)
    return [
        {
            "name": "correo.enviado",
            "key": str(aviso.id_reserva),
            "payload": {
                "id_reserva": str(aviso.id_reserva),
                "destinatario": aviso.destinatario,
                "asunto": str(correo["Subject"]),
                "aviso": aviso.tipo,
            },
        }
    ]


async def _contacto(evento: EventosReserva, libreta: Libreta) -> Contacto | None:
    variante = evento.reserva_creada or evento.reserva_aprobada or evento.reserva_cancelada
    if variante is None or variante.id_cliente is None:
        return None
    contacto = await asyncio.to_thread(libreta.buscar, UUID(variante.id_cliente))
    if contacto is None and 0 <= time.time() - evento.time / 1000 < ESPERA_CLIENTE_S:
        raise ClienteSinConocer(f"Todavía no se sabe nada del cliente {variante.id_cliente}")
    return contacto


def a_aviso(evento: EventosReserva, destinatario: str, contacto: Contacto | None = None) -> Aviso | None:
    """Lo que hay que contar de un evento; None si a nadie le importa. `ValueError` si el evento viene mal formado.

    Se cuenta a la dirección de `contacto` o, si no la tiene, a `destinatario`.
    """
    tipo: TipoAviso
    motivo = None
    if evento.reserva_creada is not None:
        tipo, id_reserva = "creada", evento.reserva_creada.id_reserva
    elif evento.reserva_aprobada is not None:
        tipo, id_reserva = "aprobada", evento.reserva_aprobada.id_reserva
    elif evento.reserva_cancelada is not None:
        tipo, id_reserva = "cancelada", evento.reserva_cancelada.id_reserva
        motivo = evento.reserva_cancelada.motivo
    else:
        return None
    return Aviso(
        id_evento=UUID(evento.id),
        tipo=tipo,
        id_reserva=UUID(id_reserva),
        destinatario=(contacto and contacto.correo) or destinatario,
        nombre=contacto.nombre if contacto else None,
        motivo=motivo,
        fecha=datetime.fromtimestamp(evento.time / 1000, UTC),
    )
