"""Qué broker usar según el entorno."""

from __future__ import annotations

import os
from collections.abc import Mapping

from dotenv import dotenv_values

from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.infraestructura.brokers import sin_clave


class ConfiguracionAmbigua(ErrorDeArranque):
    """El entorno nombra dos brokers distintos y no dice cuál usar."""


def leer_entorno(argumentos: Mapping[str, object] | None = None) -> dict[str, str]:
    """Las variables de `argumentos` sobre el entorno sobre `.env`; una vacía cuenta como ausente."""
    juntas = {**dotenv_values(".env"), **os.environ, **(argumentos or {})}
    return {variable: str(valor) for variable, valor in juntas.items() if valor not in (None, "")}


def broker_del_entorno(argumentos: Mapping[str, object] | None = None) -> str:
    """La URL del broker: la de los argumentos, la del entorno o, si no hay, el embebido en `AEROALPES_DATOS`."""
    entorno = leer_entorno(argumentos)
    propio = url_broker({variable: entorno[variable] for variable in argumentos or () if variable in entorno}, "")
    return propio or url_broker(entorno, f"embebido:///{entorno.get('AEROALPES_DATOS', 'var')}/broker.db")


def url_broker(entorno: Mapping[str, str], por_defecto: str) -> str:
    """`BROKER_URL` si está; si no, la variable propia de un broker; si no hay ninguna, `por_defecto`.

    Lanza `ConfiguracionAmbigua` si hay variables de dos brokers distintos, nombrándolas.
    """
    if url := entorno.get("BROKER_URL"):
        return url
    candidatas: dict[str, list[tuple[str, str]]] = {}
    for variable, broker, url in _propias(entorno):
        candidatas.setdefault(broker, []).append((variable, url))
    if len(candidatas) > 1:
        nombres = " y ".join(f"{opciones[0][0]} ({sin_clave(opciones[0][1])})" for opciones in candidatas.values())
        raise ConfiguracionAmbigua(f"{nombres} apuntan a brokers distintos: deje una, o diga cuál con BROKER_URL")
    return next(iter(candidatas.values()))[0][1] if candidatas else por_defecto


def _propias(entorno: Mapping[str, str]) -> list[tuple[str, str, str]]:
    propias = []
    for variable in ("PULSAR_ADDRESS", "BROKER_HOST"):
        if valor := entorno.get(variable):
            anfitrion = valor if ":" in valor else f"{valor}:6650"
            propias.append((variable, "pulsar", valor if "://" in valor else f"pulsar://{anfitrion}"))
    if servidores := entorno.get("KAFKA_BOOTSTRAP_SERVERS"):
        propias.append(("KAFKA_BOOTSTRAP_SERVERS", "kafka", f"kafka://{servidores}"))
    for variable, broker in (("RABBITMQ_URL", "rabbitmq"), ("REDIS_URL", "redis")):
        if url := entorno.get(variable):
            propias.append((variable, broker, url))
    return propias
