"""Un namespace de Pulsar para una prueba, y los eventos de la reserva en cada una de sus versiones."""

from __future__ import annotations

import json
import urllib.request
import uuid
from typing import Any

from tests.contratos.banco_pulsar import url_de_pulsar

from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import eventos as v1
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos as v2
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.codificacion import codificar
from seedwork.infraestructura.publicados import revisiones_por_topico
from seedwork.infraestructura.schema.v1.mensajes import sobre

TOPICO = v2.TOPICO
REVISIONES = revisiones_por_topico([v1.EventosReserva, v2.EventosReserva])[TOPICO]


class Espacio:
    """Un namespace recién hecho: los tópicos de la suite, sin lo que haya en otros."""

    def __init__(self) -> None:
        base, _, self.admin = url_de_pulsar().partition("?admin=")
        self.servicio = base
        self.nombre = f"public/esquemas-{uuid.uuid4().hex[:8]}"
        self.pedir("PUT", f"namespaces/{self.nombre}")
        self.url = f"{base}/{self.nombre}?admin={self.admin}"
        self.topico = f"persistent://{self.nombre}/{TOPICO}"

    def pedir(self, metodo: str, ruta: str, cuerpo: Any = None) -> Any:
        peticion = urllib.request.Request(  # noqa: S310 - es el servidor de pruebas
            f"{self.admin}/admin/v2/{ruta}",
            data=None if cuerpo is None else json.dumps(cuerpo).encode(),
            headers={"Content-Type": "application/json"},
            method=metodo,
        )
        with urllib.request.urlopen(peticion, timeout=20) as respuesta:  # noqa: S310
            texto = respuesta.read()
        return json.loads(texto) if texto else None

    def registrados(self, topico: str = TOPICO) -> list[dict[str, Any]]:
        respuestas = self.pedir("GET", f"schemas/{self.nombre}/{topico}/schemas")["getSchemaResponses"]
        return [json.loads(respuesta["data"]) for respuesta in respuestas]


def creada(version: Any, **mas: Any) -> Mensaje:
    id = str(uuid.uuid4())
    variante = version.ReservaCreada(id_reserva=id, estado="PENDIENTE", fecha_creacion=1_700_000_000_000, **mas)
    registro = version.EventosReserva(**sobre("ReservaCreada", "vuelos"), reserva_creada=variante)
    return codificar(registro, topico=TOPICO, servicio="vuelos", clave=id)
