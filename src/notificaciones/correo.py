"""De un aviso a un correo: redactar el texto y ponerlo en un mensaje MIME."""

from dataclasses import dataclass
from datetime import UTC
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from notificaciones.aviso import Aviso
from notificaciones.direcciones import MAXIMO_NOMBRE, direccion_con_nombre, leer_direccion
from notificaciones.texto import limpiar

REMITENTE = leer_direccion("AeroAlpes <no-responder@aeroalpes.example>")
MAXIMO_MOTIVO = 1000
_DOMINIO_DE_IDENTIDADES = "aeroalpes.example"
_ASUNTOS = {
    "creada": "Recibimos tu reserva {corto}",
    "aprobada": "Tu reserva {corto} está aprobada",
    "cancelada": "Tu reserva {corto} se canceló",
}
_PLANTILLAS = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "plantillas", encoding="utf-8"),
    autoescape=select_autoescape(enabled_extensions=("html",), default=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    auto_reload=False,
)


@dataclass(frozen=True, kw_only=True)
class Correo:
    """Lo que lee la persona: el asunto y el mismo contenido en texto y en HTML."""

    asunto: str
    texto: str
    html: str


def redactar(aviso: Aviso) -> Correo:
    """Escribe el correo de `aviso` en español. El nombre y el motivo llegan limpios al texto y escapados al HTML."""
    asunto = _ASUNTOS[aviso.tipo].format(corto=str(aviso.id_reserva)[:8])
    datos = {
        "asunto": asunto,
        "id_reserva": str(aviso.id_reserva),
        "nombre": limpiar(aviso.nombre or "", MAXIMO_NOMBRE),
        "motivo": limpiar(aviso.motivo or "", MAXIMO_MOTIVO),
        "fecha": aviso.fecha.astimezone(UTC).strftime("%d/%m/%Y %H:%M UTC"),
    }
    return Correo(
        asunto=asunto,
        texto=_PLANTILLAS.get_template(f"{aviso.tipo}.txt").render(datos),
        html=_PLANTILLAS.get_template(f"{aviso.tipo}.html").render(datos),
    )


def componer(aviso: Aviso, remitente: Address = REMITENTE) -> EmailMessage:
    """Compone el mensaje de `aviso`: texto y HTML alternativos en UTF-8, y cabeceras a salvo de inyección.

    El mismo aviso da siempre los mismos bytes: la identidad, la fecha y el separador de las partes salen del
    evento. La política del mensaje es SMTPUTF8 sólo si una dirección lleva letras fuera de ASCII.
    """
    correo = redactar(aviso)
    destinatario = direccion_con_nombre(aviso.destinatario, aviso.nombre or "")
    solo_ascii = (remitente.addr_spec + destinatario.addr_spec).isascii()
    mensaje = EmailMessage(policy=policy.SMTP if solo_ascii else policy.SMTPUTF8)
    mensaje["From"] = remitente
    mensaje["To"] = destinatario
    mensaje["Subject"] = correo.asunto
    mensaje["Date"] = aviso.fecha.astimezone(UTC)
    mensaje["Message-ID"] = f"<{aviso.id_evento}@{_DOMINIO_DE_IDENTIDADES}>"
    mensaje["Auto-Submitted"] = "auto-generated"
    # quoted-printable cabe en cualquier servidor, también en los que no anuncian 8BITMIME.
    mensaje.set_content(correo.texto, cte="quoted-printable")
    mensaje.add_alternative(correo.html, subtype="html", cte="quoted-printable")
    # Después del contenido: ponerlo borra las cabeceras Content-*.
    mensaje["Content-Language"] = "es"
    # «=_» no puede aparecer en una parte quoted-printable, así que el separador fijo nunca la corta.
    mensaje.set_boundary(f"=_{aviso.id_evento.hex}")
    return mensaje
