"""Cómo el API ejecuta lo que le piden: el bus de la aplicación, y una sola vez si trae `Idempotency-Key`."""

from __future__ import annotations

from uuid import UUID

from flask import current_app

from seedwork.aplicacion.bus import Bus
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.mensajes import YaProcesada
from seedwork.presentacion.peticiones import entrada_idempotente


def bus() -> Bus:
    """El de la aplicación que atiende la petición."""
    bus: Bus = current_app.extensions["bus"]
    return bus


def ejecutar(comando: Comando[UUID], ambito: str) -> UUID:
    """Ejecuta el comando; repetida la petición con su misma clave, devuelve lo de la primera vez."""
    entrada = entrada_idempotente(ambito)
    if entrada is None:
        return bus().ejecutar(comando)
    try:
        return bus().ejecutar_una_vez(comando, entrada)
    except YaProcesada as previa:
        return UUID(previa.resultado)
