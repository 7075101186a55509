"""Lo que vuelve a una suscripción sola: su tópico de reintentos."""

from __future__ import annotations

from collections.abc import Sequence

from seedwork.infraestructura.brokers.kafka import sobre
from seedwork.infraestructura.brokers.kafka.cabeceras import Bruta
from seedwork.infraestructura.brokers.kafka.publicador import Envio


def envio_de_vuelta(
    destino: str,
    topico: str,
    clave: bytes | None,
    cuerpo: bytes | None,
    brutas: Sequence[Bruta],
    *,
    intentos: int,
    vence_ms: int,
) -> Envio:
    """El mensaje de `topico`, para darlo otra vez cuando pase `vence_ms` con esos intentos fallidos."""
    datos = {"topico": topico, "intentos": intentos, "vence_ms": vence_ms}
    return Envio(destino, clave, cuerpo or b"", sobre.poner(datos, brutas))
