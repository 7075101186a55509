"""Configuración del proceso ui, leída una vez del ambiente o de un `.env`; lo que se da en código manda."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from yarl import URL

from seedwork.infraestructura.configuracion import broker_del_entorno


class Configuracion(BaseSettings):
    """Cada campo es la variable de ambiente del mismo nombre en mayúsculas.

    Raises:
        pydantic.ValidationError: un valor no sirve (un puerto que no es un puerto, por ejemplo).
    """

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    ui_host: str = Field(default="127.0.0.1", min_length=1)
    ui_puerto: int = Field(default=5678, ge=0, le=65535)
    ui_origenes: Annotated[tuple[str, ...], NoDecode] = ()
    """Orígenes ajenos admitidos, separados por comas: `https://a.example,https://b.example:8443`."""
    ui_max_clientes: int = Field(default=500, ge=1)
    ui_espera_api_s: float = Field(default=10.0, gt=0)

    aeroalpes_address: str = Field(default="localhost", min_length=1)
    aeroalpes_puerto: int = Field(default=5000, ge=1, le=65535)

    @field_validator("ui_origenes", mode="before")
    @classmethod
    def _separar(cls, valor: object) -> object:
        return tuple(parte.strip() for parte in valor.split(",") if parte.strip()) if isinstance(valor, str) else valor

    @property
    def broker(self) -> str:
        return broker_del_entorno()

    @property
    def url_api(self) -> URL:
        return URL.build(scheme="http", host=self.aeroalpes_address, port=self.aeroalpes_puerto)
