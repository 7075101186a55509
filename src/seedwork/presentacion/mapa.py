"""Quién habla con quién: lo que publica y lo que atiende cada contexto, tal como dicen sus tablas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from seedwork.aplicacion.modulo import Modulo
from seedwork.infraestructura.declaracion import con_suscripcion


def mapa(modulos: Iterable[Modulo], servicio: str) -> list[dict[str, Any]]:
    """Por cada contexto que habla por el broker: `contexto`, `publica` (tópico y mensajes) y `atiende` (tópico y
    suscripción)."""
    contextos = [
        {"contexto": modulo.nombre, "publica": _publica(modulo), "atiende": _atiende(modulo, servicio)}
        for modulo in modulos
    ]
    return [contexto for contexto in contextos if contexto["publica"] or contexto["atiende"]]


def _publica(modulo: Modulo) -> list[dict[str, Any]]:
    return [
        {"topico": topico, "mensajes": [mensaje.__name__ for mensaje in mensajes]}
        for topico, mensajes in modulo.publica.items()
    ]


def _atiende(modulo: Modulo, servicio: str) -> list[dict[str, Any]]:
    return [
        {"topico": topico, "suscripcion": con_suscripcion(consumidor, servicio).suscripcion}
        for consumidor in modulo.consumidores
        for topico in consumidor.topicos
    ]
