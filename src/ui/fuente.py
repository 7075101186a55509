"""De dónde salen los eventos de la página: una lectura efímera del broker, que no deja nada en él al irse."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from typing import Any

import structlog

from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.codificacion import Evento, MensajeInvalido
from seedwork.infraestructura.esquemas import EsquemaDesconocido
from seedwork.infraestructura.mensajeria import Mensajeria
from ui.configuracion import Configuracion
from ui.reparto import INTERNO
from ui.topicos import CONTADOS, DE_PASO, PUBLICOS, RESERVA, TOPICOS

VENTANA_S = 3600.0
SERVICIO = "aeroalpes-bff"
_LOTE = 100
_DE_NADIE_MAS = {"medio_pago"}  # con qué paga el cliente no es de quien mira la página
Decodificar = Callable[[Mensaje, Any], Awaitable[Any]]
_registro = structlog.get_logger(__name__)


async def eventos(configuracion: Configuracion) -> AsyncIterator[dict[str, Any]]:
    """Los eventos publicados en la última hora y los que lleguen, como CloudEvents; lanza si el broker falla.

    Cada proceso lee su propia copia: con dos, los navegadores de ambos ven todo.
    """
    async with Mensajeria(configuracion.broker, servicio=SERVICIO) as mensajeria:
        lector = await mensajeria.leer(TOPICOS, desde_hace_s=VENTANA_S)
        while True:
            for mensaje in await lector.recibir(_LOTE):
                evento = await a_cloudevent(mensaje, mensajeria.decodificar)
                if evento is not None:
                    yield evento


async def a_cloudevent(mensaje: Mensaje, decodificar: Decodificar) -> dict[str, Any] | None:
    """El mensaje como CloudEvent en JSON, y de qué tópico vino; None, con un registro, si no se entiende."""
    try:
        datos = await _datos(mensaje, decodificar)
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
            "topico": mensaje.topico,
            **({INTERNO: True} if _es_interno(mensaje) else {}),
            "datacontenttype": "application/json",
            "data": datos,
        }
    except (MensajeInvalido, EsquemaDesconocido, KeyError) as error:
        _registro.warning("evento_ilegible", topico=mensaje.topico, error=str(error))
        return None


def _es_interno(mensaje: Mensaje) -> bool:
    """Si sólo se le cuenta a quien pide todo."""
    if mensaje.topico == RESERVA:
        return mensaje.cabeceras["type"] not in PUBLICOS
    return mensaje.topico in CONTADOS or mensaje.topico in DE_PASO


async def _datos(mensaje: Mensaje, decodificar: Decodificar) -> dict[str, Any] | None:
    if mensaje.topico in DE_PASO:
        return {}
    if mensaje.topico not in CONTADOS:
        return dict((await decodificar(mensaje, Evento)).data)
    registro = asdict(await decodificar(mensaje, CONTADOS[mensaje.topico]))
    variante = next((campo for campo in registro.values() if isinstance(campo, dict)), None)
    if variante is None:  # un hecho que aquí aún no se conoce
        return None
    return {nombre: valor for nombre, valor in variante.items() if nombre not in _DE_NADIE_MAS}
