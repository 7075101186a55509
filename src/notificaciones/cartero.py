"""El puerto por el que salen los correos."""

from email.message import EmailMessage
from typing import Protocol


class CorreoRechazado(Exception):
    """Este correo no se entregará nunca (dirección inexistente, contenido rechazado): no sirve reintentarlo."""


class CarteroNoDisponible(Exception):
    """Ahora no se puede entregar (servidor caído, lento o mal configurado): hay que reintentarlo más tarde."""


class Cartero(Protocol):
    """Entrega correos, de a uno y a un solo destinatario."""

    async def enviar(self, correo: EmailMessage) -> None:
        """Vuelve cuando otro se ha hecho cargo de `correo` de forma duradera.

        Lanza `CorreoRechazado` si es para siempre y `CarteroNoDisponible` si es por ahora. Enviar dos veces el
        mismo correo lleva el mismo `Message-ID`, que es por lo que se reconoce el repetido.
        """
        ...
