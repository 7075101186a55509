"""Lo que el sidecar toma del entorno, o de un `.env` en la carpeta de trabajo; el entorno gana."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from dotenv import dotenv_values


class ConfiguracionInvalida(Exception):
    """Una variable del entorno tiene un valor que no sirve; la frase la nombra."""


@dataclass(frozen=True, kw_only=True)
class Configuracion:
    """Dónde escucha el sidecar y dónde está el API.

    `host` es una dirección IP: con un nombre que resuelve a varias, como `localhost`, gRPC se conforma con
    poder escuchar en una y calla que el puerto está ocupado en las otras. En un contenedor, `0.0.0.0`.
    Con `puerto` 0 lo elige el sistema. `gracia_s` es lo que al parar se espera por las llamadas en curso.
    """

    host: str = "127.0.0.1"
    puerto: int = 50051
    gracia_s: int = 5
    api_host: str = "localhost"
    api_puerto: int = 5000

    @classmethod
    def leer(cls, entorno: Mapping[str, str | None] | None = None) -> Self:
        """Lee `SIDECAR_HOST`, `SIDECAR_PUERTO`, `SIDECAR_GRACIA_S`, `AEROALPES_ADDRESS` y `AEROALPES_PUERTO`.

        Una variable vacía cuenta como ausente. Lanza `ConfiguracionInvalida`.
        """
        variables = {**_punto_env(), **os.environ} if entorno is None else entorno
        return cls(
            host=(variables.get("SIDECAR_HOST") or cls.host).strip("[]"),
            puerto=_entero(variables, "SIDECAR_PUERTO", cls.puerto, minimo=0, maximo=65535),
            gracia_s=_entero(variables, "SIDECAR_GRACIA_S", cls.gracia_s, minimo=0, maximo=3600),
            api_host=(variables.get("AEROALPES_ADDRESS") or cls.api_host).strip("[]"),
            api_puerto=_entero(variables, "AEROALPES_PUERTO", cls.api_puerto, minimo=1, maximo=65535),
        )


def direccion(host: str, puerto: int) -> str:
    """`host:puerto`, con los corchetes que pide una dirección IPv6."""
    return f"[{host}]:{puerto}" if ":" in host else f"{host}:{puerto}"


def _punto_env() -> dict[str, str | None]:
    try:
        return dotenv_values(".env")
    except (OSError, ValueError) as error:
        raise ConfiguracionInvalida(f"No se puede leer el archivo .env: {error}") from error


def _entero(variables: Mapping[str, str | None], nombre: str, defecto: int, *, minimo: int, maximo: int) -> int:
    texto = variables.get(nombre) or str(defecto)
    try:
        numero = int(texto)
    except ValueError:
        numero = minimo - 1
    if not minimo <= numero <= maximo:
        raise ConfiguracionInvalida(f"{nombre} debe ser un entero entre {minimo} y {maximo}, y es {texto!r}")
    return numero
