"""Lo que un cliente puede decir por el websocket: `{"suscribir": {"id_reserva": "<uuid>"}}` y nada más."""

import json
from uuid import UUID

from aiohttp import WSMessage, WSMsgType

MENSAJE_MAXIMO_BYTES = 4 * 1024
_FORMA = 'Sólo se admite {"suscribir": {"id_reserva": "<uuid>"}}'


class MensajeInvalido(Exception):
    """Lo recibido no es una suscripción; el texto se le dice al cliente tal cual."""


def id_suscrito(mensaje: WSMessage) -> str:
    """El id de reserva que el cliente quiere seguir, en su forma canónica.

    Raises:
        MensajeInvalido: cualquier otra cosa.
    """
    if mensaje.type is not WSMsgType.TEXT:
        raise MensajeInvalido(f"Los mensajes binarios no se admiten. {_FORMA}")
    texto: str = mensaje.data
    if len(texto) > MENSAJE_MAXIMO_BYTES:
        raise MensajeInvalido(f"El mensaje pasa de {MENSAJE_MAXIMO_BYTES} bytes. {_FORMA}")
    try:
        contenido = json.loads(texto)
    except (ValueError, RecursionError):
        raise MensajeInvalido(f"El mensaje no es JSON. {_FORMA}") from None
    match contenido:
        case {"suscribir": {"id_reserva": str(id_reserva), **de_mas}, **sobra} if not de_mas and not sobra:
            return id_canonico(id_reserva)
    raise MensajeInvalido(_FORMA)


def id_canonico(texto: str) -> str:
    """El uuid en minúsculas y con guiones.

    Raises:
        MensajeInvalido: no es un uuid.
    """
    try:
        return str(UUID(texto))
    except ValueError:
        raise MensajeInvalido("El id_reserva no es un uuid") from None
