"""De dónde salen los eventos de la página: una lectura efímera del broker, que no deja nada en él al irse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

import structlog

from aeroalpes.modulos.vuelos.infraestructura.schema.v1.eventos import TOPICO, EventosReserva
from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.codificacion import Evento, MensajeInvalido, decodificar
from seedwork.infraestructura.esquemas import EsquemaDesconocido
from seedwork.infraestructura.mensajeria import Mensajeria
from ui.configuracion import Configuracion

TOPICOS = (TOPICO, "correo.*")
VENTANA_S = 3600.0
SERVICIO = "aeroalpes-bff"
_LOTE = 100
_DE_NADIE_MAS = {"medio_pago"}  # con qué paga el cliente no es de quien mira la página
_registro = structlog.get_logger(__name__)


async def eventos(configuracion: Configuracion) -> AsyncIterator[dict[str, Any]]:
    """Los eventos publicados en la última hora y los que lleguen, como CloudEvents; lanza si el broker falla.

    Cada proceso lee su propia copia: con dos, los navegadores de ambos ven todo.
    """
    async with Mensajeria(configuracion.broker, servicio=SERVICIO) as mensajeria:
        lector = await mensajeria.leer(TOPICOS, desde_hace_s=VENTANA_S)
        while True:
            for mensaje in await lector.recibir(_LOTE):
                evento = a_cloudevent(mensaje)
                if evento is not None:
                    yield evento


def a_cloudevent(mensaje: Mensaje) -> dict[str, Any] | None:
    """El mensaje como CloudEvent en JSON; None si a nadie le importa o, con un registro, si no se entiende."""
    try:
        datos = _datos(mensaje)
        if datos is None:
            return None
        atributos = dict(mensaje.cabeceras)
        return {
            "specversion": atributos.pop("specversion", "1.0"),
            "id": atributos.pop("id"),
            "type": atributos.pop("type"),
            "source": atributos.pop("source"),
            "time": atributos.pop("time"),
            **({"subject": atributos["subject"]} if "subject" in atributos else {}),
            **({"ingestion": atributos["ingestion"]} if "ingestion" in atributos else {}),
            "datacontenttype": "application/json",
            "data": datos,
        }
    except (MensajeInvalido, EsquemaDesconocido, KeyError) as error:
        _registro.warning("evento_ilegible", topico=mensaje.topico, error=str(error))
        return None


def _datos(mensaje: Mensaje) -> Any:
    if mensaje.topico != TOPICO:
        return decodificar(mensaje, Evento).data
    evento = decodificar(mensaje, EventosReserva)
    variantes = (evento.reserva_creada, evento.reserva_pagada, evento.reserva_aprobada, evento.reserva_cancelada)
    variante = next((variante for variante in variantes if variante is not None), None)
    if variante is None:  # lo que vuelos sólo le cuenta a la saga, o un hecho que aquí aún no se conoce
        return None
    return {nombre: valor for nombre, valor in asdict(variante).items() if nombre not in _DE_NADIE_MAS}
