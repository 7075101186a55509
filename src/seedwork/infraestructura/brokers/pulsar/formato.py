"""Un `Mensaje` como mensaje de Pulsar: la clave es la suya, y los atributos de CloudEvents, propiedades `ce_`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulsar

from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.brokers.pulsar.direccion import nombre_de
from seedwork.infraestructura.brokers.pulsar.manos import Id

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
        opciones["partition_key"] = mensaje.clave
    return Sobre(mensaje.cuerpo, opciones)


def id_de(recibido: pulsar.Message) -> Id:
    """Cuál es. Sin envolver lo que da el cliente: se hace con cada mensaje."""
    propio = recibido._message.message_id()
    return Id(recibido._message.topic_name(), propio.ledger_id(), propio.entry_id(), propio.batch_index())


def de_pulsar(recibido: pulsar.Message, topico: str) -> tuple[Mensaje, dict[str, str]]:
    """El mensaje y los datos nuestros que llevaba. Lo ajeno que no sea UTF-8 se da por ausente."""
    try:
        propiedades: dict[str, str] = recibido._message.properties()
    except UnicodeDecodeError:
        propiedades = {}
    try:
        clave = recibido._message.partition_key() or ("" if _CLAVE_VACIA in propiedades else None)
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
    nombre = propias.get("topico") or nombre_de(topico)
    return Mensaje(topico=nombre, cuerpo=recibido._message.data(), clave=clave, cabeceras=cabeceras), propias
