"""seedwork: comandos, eventos, unidad de trabajo, outbox, inbox y brokers para microservicios dirigidos por eventos."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from seedwork.aplicacion.bus import Bus as Bus
    from seedwork.aplicacion.comandos import Comando as Comando
    from seedwork.aplicacion.firmas import ErrorDeArranque as ErrorDeArranque
    from seedwork.aplicacion.modulo import Modulo as Modulo
    from seedwork.aplicacion.queries import Query as Query
    from seedwork.infraestructura.brokers import Mensaje as Mensaje
    from seedwork.infraestructura.brokers import conectar as conectar
    from seedwork.infraestructura.codificacion import Evento as Evento
    from seedwork.infraestructura.codificacion import MensajeInvalido as MensajeInvalido
    from seedwork.infraestructura.declaracion import Consumidor as Consumidor
    from seedwork.infraestructura.declaracion import consumer as consumer
    from seedwork.infraestructura.declaracion import message_handler as message_handler
    from seedwork.infraestructura.declaracion import on_event as on_event
    from seedwork.infraestructura.mensajeria import Mensajeria as Mensajeria
    from seedwork.infraestructura.politica import ErrorPermanente as ErrorPermanente
    from seedwork.infraestructura.politica import Reintentos as Reintentos
    from seedwork.infraestructura.sistema import Sistema as Sistema
    from seedwork.infraestructura.sistema import bootstrap as bootstrap

# Cada nombre se importa al usarlo: `import seedwork.dominio` no arrastra la base de datos ni los brokers.
_DONDE = {
    "Bus": "aplicacion.bus",
    "Comando": "aplicacion.comandos",
    "ErrorDeArranque": "aplicacion.firmas",
    "Modulo": "aplicacion.modulo",
    "Query": "aplicacion.queries",
    "Mensaje": "infraestructura.brokers",
    "conectar": "infraestructura.brokers",
    "Evento": "infraestructura.codificacion",
    "MensajeInvalido": "infraestructura.codificacion",
    "Consumidor": "infraestructura.declaracion",
    "consumer": "infraestructura.declaracion",
    "message_handler": "infraestructura.declaracion",
    "on_event": "infraestructura.declaracion",
    "Mensajeria": "infraestructura.mensajeria",
    "ErrorPermanente": "infraestructura.politica",
    "Reintentos": "infraestructura.politica",
    "Sistema": "infraestructura.sistema",
    "bootstrap": "infraestructura.sistema",
}


def __getattr__(nombre: str) -> Any:
    if nombre not in _DONDE:
        raise AttributeError(f"module {__name__!r} has no attribute {nombre!r}")
    return getattr(import_module(f"{__name__}.{_DONDE[nombre]}"), nombre)


def __dir__() -> list[str]:
    return sorted([*_DONDE, "__version__"])
