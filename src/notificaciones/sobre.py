"""El sobre de un correo: de quién, a quién y qué bytes viajan."""

from dataclasses import dataclass
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from typing import Self

from notificaciones.cartero import CorreoRechazado


@dataclass(frozen=True, kw_only=True)
class Sobre:
    """Remitente y destinatario desnudos, y el mensaje en bytes con finales CRLF.

    `utf8` dice que una dirección lleva letras fuera de ASCII: las cabeceras van en UTF-8 (RFC 6532) y el servidor
    tiene que ofrecer SMTPUTF8. Si no, todos los bytes son ASCII.
    """

    remitente: str
    destinatario: str
    contenido: bytes
    utf8: bool

    @classmethod
    def de(cls, correo: EmailMessage) -> Self:
        """Cierra `correo` en su sobre.

        Lanza `CorreoRechazado` si no tiene un remitente y un destinatario exactos, o no se puede escribir en bytes.
        """
        remitente, destinatario = _unica_direccion(correo, "From"), _unica_direccion(correo, "To")
        if "Cc" in correo or "Bcc" in correo:
            raise CorreoRechazado("El correo lleva Cc o Bcc: cada destinatario necesita el suyo")
        utf8 = not (remitente + destinatario).isascii()
        politica = policy.SMTPUTF8 if utf8 else policy.SMTP.clone(cte_type="7bit")
        try:
            contenido = correo.as_bytes(policy=politica)
        except (MessageError, UnicodeError, ValueError) as error:
            raise CorreoRechazado(f"El correo no se puede escribir en bytes: {error}") from error
        return cls(remitente=remitente, destinatario=destinatario, contenido=contenido, utf8=utf8)


def _unica_direccion(correo: EmailMessage, cabecera: str) -> str:
    cabeceras = correo.get_all(cabecera, [])
    direcciones = [direccion.addr_spec for una in cabeceras for direccion in una.addresses]
    if len(direcciones) != 1:
        raise CorreoRechazado(f"El correo necesita una dirección en {cabecera} y trae {len(direcciones)}")
    return str(direcciones[0])
