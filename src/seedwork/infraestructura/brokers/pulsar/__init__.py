"""El broker sobre Apache Pulsar: un tópico sin particiones por nombre y una suscripción Key_Shared por suscripción.

`pulsar://[:token@|usuario:clave@]host[:puerto][/tenant/namespace][?admin=http://host:puerto]`, o `pulsar+ssl://` con
`ca=archivo.pem` si la autoridad no es de las del sistema. Lo que a Pulsar le falta vive en tópicos internos del mismo
namespace, que empiezan por `seedwork~`.

Basta el puerto del broker. Si atiende también el de administración (por defecto, el 8080 del mismo host; con TLS, el
8443), y el namespace no dice cuánto conserva, se fija en una semana; si no, una suscripción nueva sólo ve lo que Pulsar
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
