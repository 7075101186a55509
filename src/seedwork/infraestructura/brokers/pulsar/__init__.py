"""El broker sobre Apache Pulsar: un tópico particionado por nombre, y un dueño por cada carril de una suscripción.

`pulsar://[:token@|usuario:clave@]host[:puerto][/tenant/namespace][?admin=http://host:puerto&particiones=4]`, o
`pulsar+ssl://` con `ca=archivo.pem` si la autoridad no es de las del sistema. Lo que a Pulsar le falta vive en tópicos
internos del mismo namespace, que empiezan por `seedwork~`.

Basta el puerto del broker. Si atiende también el de administración (por defecto, el 8080 del mismo host; con TLS, el
8443), los tópicos nuevos tienen esas particiones, y lo publicado se conserva una semana si el namespace no dice cuánto;
si no, tienen una, y una suscripción nueva sólo ve lo que Pulsar conserve.

Otros programas deben elegir la partición con la huella del cliente de Java (`HashingScheme.JavaStringHash`), que es la
suya de fábrica: con otra, lo que publiquen de una clave va a otro carril.
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
