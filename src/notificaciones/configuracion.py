"""La configuración del correo, leída una vez del entorno o de un `.env`."""

from email.headerregistry import Address
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PlainValidator, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from notificaciones.buzon import Buzon
from notificaciones.cartero import Cartero
from notificaciones.correo import REMITENTE
from notificaciones.direcciones import leer_direccion, validar_direccion
from notificaciones.servidor_smtp import ServidorSmtp
from notificaciones.smtp import CarteroSmtp


class ConfiguracionInvalida(ValueError):
    """Una variable no vale. La frase nombra cada variable y su problema, sin repetir lo que traía."""


def _servidor(valor: str | ServidorSmtp | None) -> ServidorSmtp | None:
    return ServidorSmtp.desde_url(valor) if isinstance(valor, str) else valor


def _remitente(valor: str | Address) -> Address:
    return leer_direccion(valor) if isinstance(valor, str) else valor


class Configuracion(BaseSettings):
    """Adónde van los correos y de parte de quién. Lo dado en el código gana al entorno, y el entorno al `.env`.

    Una variable vacía cuenta como ausente.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )

    smtp: Annotated[ServidorSmtp | None, NoDecode, PlainValidator(_servidor)] = Field(
        default=None, validation_alias="SMTP_URL"
    )
    datos: Path = Field(default=Path("var"), validation_alias="AEROALPES_DATOS")
    destinatario: Annotated[str, PlainValidator(validar_direccion)] = Field(
        default="reservas@aeroalpes.example", validation_alias="NOTIFICACIONES_DESTINATARIO"
    )
    remitente: Annotated[Address, NoDecode, PlainValidator(_remitente)] = Field(
        default=REMITENTE, validation_alias="NOTIFICACIONES_REMITENTE"
    )


def leer_configuracion(**valores: Any) -> Configuracion:
    """Lee la configuración; `valores` gana al entorno. Lanza `ConfiguracionInvalida`."""
    try:
        return Configuracion(**valores)
    except ValidationError as error:
        problemas = [
            f"{'.'.join(map(str, uno['loc']))}: {uno.get('ctx', {}).get('error', uno['msg'])}"
            for uno in error.errors(include_url=False, include_input=False)
        ]
    # Fuera del `except`: la excepción de pydantic guarda la URL, con su clave, y no debe viajar como causa.
    raise ConfiguracionInvalida("; ".join(problemas))


def cartero_de(configuracion: Configuracion) -> Cartero:
    """El cartero que pide la configuración: por SMTP, o al buzón `<datos>/buzon` si no hay `SMTP_URL`.

    Lanza `ConfiguracionInvalida` si la carpeta del buzón no se puede usar.
    """
    if configuracion.smtp is not None:
        return CarteroSmtp(configuracion.smtp)
    carpeta = configuracion.datos / "buzon"
    try:
        return Buzon(carpeta)
    except OSError as error:
        raise ConfiguracionInvalida(f"AEROALPES_DATOS: no se puede usar {carpeta}: {error.strerror}") from error
