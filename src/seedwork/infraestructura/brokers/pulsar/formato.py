"""Un `Mensaje` como mensaje de Pulsar: la clave es la suya, y los atributos de CloudEvents, propiedades `ce_`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulsar

from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.brokers.pulsar.direccion import Direccion

_PROPIO = "seedwork-"
_CLAVE_VACIA = _PROPIO + "clave-vacia"
_TOPICO = _PROPIO + "topico"


@dataclass(frozen=True, slots=True)
class Sobre:
    """Lo que hay que dar al productor del cliente."""

    cuerpo: bytes
    opciones: Mapping[str, Any] = field(default_factory=dict)

    def a_las(self, fecha_ms: int) -> Sobre:
        """El mismo, para que se entregue entonces."""
        return Sobre(self.cuerpo, {**self.opciones, "deliver_at": fecha_ms})


def a_pulsar(mensaje: Mensaje, **propias: str) -> Sobre:
    """`propias` son datos nuestros, que no se ven como cabeceras; con ellos viaja también el tópico original."""
    propiedades = {
        "content-type" if nombre == "datacontenttype" else f"ce_{nombre}": valor
        for nombre, valor in mensaje.cabeceras.items()
    }
    if propias:
        propiedades[_TOPICO] = mensaje.topico
        propiedades |= {_PROPIO + nombre: valor for nombre, valor in propias.items()}
    if mensaje.clave == "":
        propiedades[_CLAVE_VACIA] = "1"
    opciones: dict[str, Any] = {"properties": propiedades}
    if mensaje.clave:
        opciones |= {"partition_key": mensaje.clave, "ordering_key": mensaje.clave}
    elif mensaje.clave is None:
        # Sin ella, todos los mensajes sin clave irían a un mismo consumidor.
        opciones["ordering_key"] = uuid.uuid4().hex
    return Sobre(mensaje.cuerpo, opciones)


def de_pulsar(recibido: pulsar.Message, direccion: Direccion) -> tuple[Mensaje, dict[str, str]]:
    """El mensaje y los datos nuestros que llevaba. Lo ajeno que no sea UTF-8 se da por ausente."""
    try:
        propiedades: dict[str, str] = recibido.properties()
    except UnicodeDecodeError:
        propiedades = {}
    try:
        clave = recibido.partition_key() or ("" if _CLAVE_VACIA in propiedades else None)
    except UnicodeDecodeError:
        clave = None
    cabeceras: dict[str, str] = {}
    propias: dict[str, str] = {}
    for nombre, valor in propiedades.items():
        if nombre.startswith("ce_"):
            cabeceras[nombre[3:]] = valor
        elif nombre == "content-type":
            cabeceras.setdefault("datacontenttype", valor)
        elif nombre.startswith(_PROPIO):
            propias[nombre.removeprefix(_PROPIO)] = valor
        elif f"ce_{nombre}" not in propiedades:
            cabeceras[nombre] = valor
    topico = propias.get("topico") or direccion.nombre(recibido.topic_name())
    return Mensaje(topico=topico, cuerpo=recibido.data(), clave=clave, cabeceras=cabeceras), propias
