"""Qué le falta a un servicio para poder trabajar."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from seedwork.infraestructura.base_datos import de_lectura
from seedwork.infraestructura.hilo import MensajeriaEnHilo
from seedwork.infraestructura.pendientes import atraso_ms

ATRASO_MAXIMO_S = 30.0
_PLAZO_BROKER_S = 3.0


def faltas(motor: Engine | None, mensajeria: MensajeriaEnHilo | None) -> dict[str, str | None]:
    """Por pieza (`base_datos`, `broker`, `relay`), qué le falta, o None si está bien.

    El relay falta cuando el mensaje pendiente más viejo del outbox espera más de `ATRASO_MAXIMO_S`.
    """
    base, relay = _base_y_relay(motor)
    return {"base_datos": base, "broker": _broker(mensajeria), "relay": relay}


def _base_y_relay(motor: Engine | None) -> tuple[str | None, str | None]:
    if motor is None:
        return None, None
    try:
        with de_lectura(motor).begin() as conexion:
            atraso_s = atraso_ms(conexion) / 1000
    except Exception as error:  # noqa: BLE001 - sea lo que sea, la base no responde
        causa = error.orig if isinstance(error, DBAPIError) else error
        return f"no responde: {causa}", "sin base de datos no se sabe"
    if atraso_s > ATRASO_MAXIMO_S:
        return None, f"el mensaje más viejo del outbox espera hace {atraso_s:.0f} s"
    return None, None


def _broker(mensajeria: MensajeriaEnHilo | None) -> str | None:
    if mensajeria is None:
        return "este proceso no está en marcha"
    try:
        mensajeria.pedir(mensajeria.comprobar, _PLAZO_BROKER_S)
    except Exception as error:  # noqa: BLE001 - sea lo que sea, el broker no responde
        return f"no responde: {str(error) or type(error).__name__}"
    return None
