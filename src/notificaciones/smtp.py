"""Un cartero que entrega los correos a un servidor SMTP."""

import asyncio
import ssl
from contextlib import suppress
from email.message import EmailMessage

import aiosmtplib

from notificaciones.cartero import CarteroNoDisponible, CorreoRechazado
from notificaciones.servidor_smtp import ServidorSmtp
from notificaciones.sobre import Sobre
from notificaciones.texto import limpiar

_DESPEDIDA_S = 1.0
_MAXIMO_RESPUESTA = 300
_DEMASIADO_GRANDE = 552
_FALTA_AUTENTICARSE = (530, 534, 535, 538)


class CarteroSmtp:
    """Entrega cada correo por una conexión propia, y la cierra.

    Son pocos correos y lo lento es el servidor: una conexión guardada ahorraría poco y habría que distinguir la que
    el otro cerró por inactiva de la que se cayó a media entrega, que no se puede repetir sin más.

    Todo, desde conectar hasta la aceptación, cabe en `plazo_s` segundos. Si la conexión se corta después de mandar
    el contenido y antes de la aceptación, nadie puede saber si llegó: se da por no entregado y el repetido se
    reconoce por su `Message-ID`.
    """

    def __init__(self, servidor: ServidorSmtp, *, plazo_s: float = 30.0, tls: ssl.SSLContext | None = None) -> None:
        self._servidor = servidor
        self._plazo_s = plazo_s
        self._tls = tls or _tls(servidor)

    async def enviar(self, correo: EmailMessage) -> None:
        """Vuelve cuando el servidor acepta el correo.

        Lanza `CorreoRechazado` cuando el servidor rechaza para siempre este destinatario o este contenido, o no
        admite su dirección; y `CarteroNoDisponible` por todo lo demás, también por lo que arregla el operador
        (clave, certificado, remitente) y no dice nada de este correo.
        """
        sobre = Sobre.de(correo)
        cliente = self._cliente(sobre)
        try:
            async with asyncio.timeout(self._plazo_s):
                await cliente.connect()
                await self._identificarse(cliente)
                await cliente.sendmail(
                    sobre.remitente,
                    sobre.destinatario,
                    sobre.contenido,
                    mail_options=["SMTPUTF8", "BODY=8BITMIME"] if sobre.utf8 else [],
                )
            await _despedirse(cliente)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise self._traducir(error) from error
        except ValueError as error:  # después: un certificado que no vale es OSError y también ValueError
            raise CorreoRechazado(f"El correo no se puede decir en SMTP: {error}") from error
        finally:
            cliente.close()

    def _cliente(self, sobre: Sobre) -> aiosmtplib.SMTP:
        dominio = sobre.remitente.rpartition("@")[2]
        return aiosmtplib.SMTP(
            hostname=self._servidor.host,
            port=self._servidor.puerto,
            use_tls=self._servidor.cifrado_desde_el_inicio,
            start_tls=None,  # si se ofrece
            tls_context=self._tls,
            # El plazo lo pone `enviar`. Los de la biblioteca usan `asyncio.wait_for`, que en Python 3.11 puede
            # tragarse una cancelación y alargar el apagado.
            timeout=None,
            # Sin decirlo, se preguntaría al DNS el nombre de esta máquina, que en algunas tarda segundos.
            local_hostname=dominio if dominio.isascii() else "localhost",
        )

    async def _identificarse(self, cliente: aiosmtplib.SMTP) -> None:
        if self._servidor.usuario is None or self._servidor.clave is None:
            return
        if not self._servidor.local and cliente.get_transport_info("sslcontext") is None:
            raise aiosmtplib.SMTPException("no ofrece STARTTLS, y la clave de SMTP_URL no se manda sin cifrar")
        await cliente.login(self._servidor.usuario, self._servidor.clave)

    def _traducir(self, error: Exception) -> CorreoRechazado | CarteroNoDisponible:
        donde = f"El servidor SMTP {self._servidor.host}:{self._servidor.puerto}"
        match error:
            case aiosmtplib.SMTPNotSupported():
                return CorreoRechazado(f"{donde} no ofrece SMTPUTF8, y la dirección lleva letras fuera de ASCII")
            case aiosmtplib.SMTPRecipientsRefused(recipients=[rechazo, *_]):
                return self._traducir(rechazo)
            case aiosmtplib.SMTPAuthenticationError():
                return CarteroNoDisponible(f"{donde} no acepta el usuario o la clave de SMTP_URL: {_respuesta(error)}")
            case aiosmtplib.SMTPResponseException() if _rechaza_este_correo(error):
                return CorreoRechazado(f"{donde} rechazó el correo: {_respuesta(error)}")
            case aiosmtplib.SMTPResponseException():
                return CarteroNoDisponible(f"{donde} no puede ahora: {_respuesta(error)}")
            case TimeoutError():
                return CarteroNoDisponible(f"{donde} no respondió en {self._plazo_s:g} s")
            case ssl.SSLCertVerificationError():
                return CarteroNoDisponible(f"{donde} presenta un certificado que no vale: {error.verify_message}")
            case _:
                return CarteroNoDisponible(f"{donde} no está disponible: {limpiar(str(error), _MAXIMO_RESPUESTA)}")


def _tls(servidor: ServidorSmtp) -> ssl.SSLContext:
    contexto = ssl.create_default_context()
    if servidor.local:
        contexto.check_hostname = False
        contexto.verify_mode = ssl.CERT_NONE
    return contexto


def _rechaza_este_correo(error: aiosmtplib.SMTPResponseException) -> bool:
    if not 500 <= error.code <= 599 or error.code in _FALTA_AUTENTICARSE:
        return False
    match error:
        case aiosmtplib.SMTPRecipientRefused() | aiosmtplib.SMTPDataError():
            return True
        case aiosmtplib.SMTPSenderRefused():
            # El remitente es el mismo para todos los correos; lo único de éste que viaja con él es su tamaño.
            return error.code == _DEMASIADO_GRANDE
        case _:
            return False


def _respuesta(error: aiosmtplib.SMTPResponseException) -> str:
    return limpiar(f"{error.code} {error.message}", _MAXIMO_RESPUESTA)


async def _despedirse(cliente: aiosmtplib.SMTP) -> None:
    """El correo ya está aceptado: nada de lo que pase al despedirse puede hacer que se mande otra vez."""
    with suppress(aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout(_DESPEDIDA_S):
            await cliente.quit()
