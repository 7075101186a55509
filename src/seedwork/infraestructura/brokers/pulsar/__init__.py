"""El broker sobre Apache Pulsar: un tópico sin particiones por nombre y una suscripción Key_Shared por suscripción.

`pulsar://host[:puerto][/tenant/namespace][?admin=http://host:puerto]`, o `pulsar+ssl://`. Lo que a Pulsar le falta
vive en tópicos internos del mismo namespace, que empiezan por `seedwork~`.

Con la URL de administración (por defecto, el puerto 8080 del mismo host) se fija una vez la retención del namespace y
se sabe qué tópicos casan con un comodín. Sin ella no hay comodines, y una suscripción nueva sólo ve lo que Pulsar
conserve.

Otros programas deben publicar sin lotes, o en lotes por clave (`BatchingType.KeyBased`): Pulsar reparte el lote entero
por la clave de su primer mensaje.
"""

from __future__ import annotations

from seedwork.aplicacion.firmas import ErrorDeArranque

try:
    from seedwork.infraestructura.brokers.pulsar.broker import BrokerPulsar
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("pulsar", "_pulsar"):
        raise
    raise ErrorDeArranque(
        "Para un broker pulsar:// falta el cliente: instálelo con `pip install aeroalpes-seedwork[pulsar]`"
    ) from error
from seedwork.infraestructura.brokers.pulsar.direccion import leer_url


def conectar(url: str) -> BrokerPulsar:
    """El broker de esa URL; no abre nada hasta que se usa. Lanza `URLBrokerInvalida` si no se entiende."""
    return BrokerPulsar(leer_url(url))


__all__ = ["BrokerPulsar", "conectar"]
