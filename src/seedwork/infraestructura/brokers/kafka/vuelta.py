"""Lo que vuelve a una suscripción sola: su tópico de reintentos."""

from __future__ import annotations

from collections.abc import Sequence

from seedwork.infraestructura.brokers.kafka import sobre
from seedwork.infraestructura.brokers.kafka.cabeceras import Bruta
from seedwork.infraestructura.brokers.kafka.particion import Registro
from seedwork.infraestructura.brokers.kafka.publicador import Envio


def envio_de_vuelta(destino: str, registro: Registro, *, intentos: int, vence_ms: int) -> Envio:
    """El mensaje, para darlo otra vez cuando pase `vence_ms` con esos intentos fallidos."""
    datos = {"topico": registro.topico, "intentos": intentos, "vence_ms": vence_ms}
    bruto = registro.bruto
    return Envio(destino, bruto.key(), bruto.value() or b"", sobre.poner(datos, registro.cabeceras_brutas()))


def envio_de_letra_reenviada(
    destino: str, topico: str, clave: bytes | None, cuerpo: bytes | None, brutas: Sequence[Bruta]
) -> Envio:
    """El mensaje de una letra muerta, como recién publicado."""
    datos = {"topico": topico, "intentos": 0, "vence_ms": 0}
    return Envio(destino, clave, cuerpo or b"", sobre.poner(datos, brutas))
