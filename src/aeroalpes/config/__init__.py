"""La configuración, leída una vez del entorno y de `.env`; lo que se da en el código gana."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.configuracion import broker_del_entorno, leer_entorno


class ConfiguracionInvalida(ErrorDeArranque):
    """Una variable tiene un valor que no se puede usar."""


class Configuracion(BaseModel):
    """Cada campo es la variable de entorno que nombra su alias."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    datos: str = Field("var", alias="AEROALPES_DATOS")
    base_datos: str = Field("", alias="DATABASE_URL")
    broker: str = Field("", alias="BROKER_URL")
    saga: Literal["orquestada", "coreografiada"] = Field("orquestada", alias="AEROALPES_SAGA")
    trabajador: Literal["dentro", "aparte"] = Field("dentro", alias="AEROALPES_TRABAJADOR")


def leer_configuracion(argumentos: Mapping[str, object] | None = None) -> Configuracion:
    """La configuración de `argumentos` sobre el entorno sobre `.env`; lanza `ErrorDeArranque` nombrando la variable."""
    try:
        leida = Configuracion.model_validate(leer_entorno(argumentos))
    except ValidationError as error:
        fallo = error.errors()[0]
        opciones = fallo["ctx"]["expected"].replace(" or ", " o ")
        raise ConfiguracionInvalida(f"{fallo['loc'][0]}={fallo['input']!r} no vale: debe ser {opciones}") from error
    return leida.model_copy(
        update={
            "base_datos": leida.base_datos or f"sqlite:///{leida.datos}/aeroalpes.db",
            "broker": broker_del_entorno(argumentos),
        }
    )
