"""Lo que se dicen los consumidores de una suscripción, por colas que mueren con ellos."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from aiormq import Channel
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import PublishError
from pamqp.commands import Basic

# Del miembro al jefe.
PRESENTE, PEDIR, TERMINAR, DEVOLVER, CONTAR, ADIOS = "presente", "pedir", "terminar", "devolver", "contar", "adios"
VIVO = "vivo"
# Del jefe a un miembro, o a todos.
HECHO, PRESENTATE, VACANTE, VIVES = "hecho", "presentate", "vacante", "vives"
LATIDO = "latido"


@dataclass
class Informe:
    """Lo que un miembro dice de sí a quien empieza a repartir, y al llegar.

    `tengo` son huellas con su clave. `nueva`: acaba de suscribirse, y sus patrones son los de ahora. Si fue el reinado
    `fui`, vive y sabe que entonces sólo `ajenas` estaban en otras manos.
    """

    miembro: str
    tengo: list[tuple[str, str | None]] = field(default_factory=list)
    patrones: list[str] = field(default_factory=list)
    nueva: bool = False
    fui: str = ""
    ajenas: list[str] = field(default_factory=list)


@dataclass
class Peticion:
    """Un `recibir` que espera en otro proceso, o que deja de esperar si `maximo` es 0.

    `turno` crece con cada una, y un lote sólo vale en el suyo. `recibido` es el del último que llegó entero: si se le
    mandó otro después, ya no lo tomará.
    """

    miembro: str
    turno: int
    recibido: int
    maximo: int
    excepto: frozenset[str]


async def mandar(canal: Channel, cola: str, tipo: str, datos: Any = None) -> bool:
    """A una cola; False si ya no existe: su dueño murió o se fue."""
    propiedades = Basic.Properties(message_type=tipo)
    try:
        await canal.basic_publish(
            json.dumps(datos).encode(), routing_key=cola, properties=propiedades, mandatory=True, wait=False
        )
    except PublishError:
        return False
    return True


async def difundir(canal: Channel, exchange: str, tipo: str, datos: Any = None) -> None:
    """A todos los miembros."""
    await canal.basic_publish(
        json.dumps(datos).encode(), exchange=exchange, properties=Basic.Properties(message_type=tipo)
    )


def leer(crudo: DeliveredMessage) -> tuple[str, Any]:
    return crudo.header.properties.message_type or "", json.loads(crudo.body)


def a_datos(objeto: Informe) -> dict[str, Any]:
    return asdict(objeto)


def a_informe(datos: dict[str, Any]) -> Informe:
    return Informe(**{**datos, "tengo": [(huella, clave) for huella, clave in datos["tengo"]]})
