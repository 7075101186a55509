"""seedwork: comandos, eventos, unidad de trabajo, outbox, inbox y brokers para microservicios dirigidos por eventos."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from seedwork.aplicacion.bus import Bus as Bus
    from seedwork.aplicacion.comandos import Comando as Comando
    from seedwork.aplicacion.diferidas import EjecucionesProhibidas as EjecucionesProhibidas
    from seedwork.aplicacion.dominio import Dominio as Dominio
    from seedwork.aplicacion.dominio import Repositorios as Repositorios
    from seedwork.aplicacion.firmas import ErrorDeArranque as ErrorDeArranque
    from seedwork.aplicacion.mensajes import Despachador as Despachador
    from seedwork.aplicacion.modulo import Modulo as Modulo
    from seedwork.aplicacion.modulo import tras_confirmar as tras_confirmar
    from seedwork.aplicacion.queries import Query as Query
    from seedwork.aplicacion.sagas.definicion import Paso as Paso
    from seedwork.aplicacion.sagas.definicion import Saga as Saga
    from seedwork.aplicacion.sagas.puerto import Sagas as Sagas
    from seedwork.dominio.eventos import EventoDominio as EventoDominio
    from seedwork.infraestructura.accion import Accion as Accion
    from seedwork.infraestructura.accion import event as event
    from seedwork.infraestructura.brokers import Mensaje as Mensaje
    from seedwork.infraestructura.brokers import conectar as conectar
    from seedwork.infraestructura.codificacion import Evento as Evento
    from seedwork.infraestructura.codificacion import MensajeInvalido as MensajeInvalido
    from seedwork.infraestructura.declaracion import Consumidor as Consumidor
    from seedwork.infraestructura.declaracion import consumer as consumer
    from seedwork.infraestructura.declaracion import message_handler as message_handler
    from seedwork.infraestructura.declaracion import on_event as on_event
    from seedwork.infraestructura.hilo import MensajeriaEnHilo as MensajeriaEnHilo
    from seedwork.infraestructura.inquilinos import en_nombre_de as en_nombre_de
    from seedwork.infraestructura.mensajeria import Mensajeria as Mensajeria
    from seedwork.infraestructura.politica import ErrorPermanente as ErrorPermanente
    from seedwork.infraestructura.politica import Reintentos as Reintentos
    from seedwork.infraestructura.proyecciones import Proyeccion as Proyeccion
    from seedwork.infraestructura.proyecciones import proyeccion as proyeccion
    from seedwork.infraestructura.respuesta import PublicarAlResponder as PublicarAlResponder
    from seedwork.infraestructura.schema.v1.mensajes import EventoIntegracion as EventoIntegracion
    from seedwork.infraestructura.sistema import Sistema as Sistema
    from seedwork.infraestructura.sistema import bootstrap as bootstrap
    from seedwork.infraestructura.tareas_celery import configurar_celery_app as configurar_celery_app

# Cada nombre se importa al usarlo: `import seedwork.dominio` no arrastra la base de datos ni los brokers.
_DONDE = {
    "Bus": "aplicacion.bus",
    "Comando": "aplicacion.comandos",
    "EjecucionesProhibidas": "aplicacion.diferidas",
    "Dominio": "aplicacion.dominio",
    "Repositorios": "aplicacion.dominio",
    "ErrorDeArranque": "aplicacion.firmas",
    "Despachador": "aplicacion.mensajes",
    "Modulo": "aplicacion.modulo",
    "tras_confirmar": "aplicacion.modulo",
    "Query": "aplicacion.queries",
    "Paso": "aplicacion.sagas.definicion",
    "Saga": "aplicacion.sagas.definicion",
    "Sagas": "aplicacion.sagas.puerto",
    "EventoDominio": "dominio.eventos",
    "Accion": "infraestructura.accion",
    "event": "infraestructura.accion",
    "Mensaje": "infraestructura.brokers",
    "conectar": "infraestructura.brokers",
    "Evento": "infraestructura.codificacion",
    "MensajeInvalido": "infraestructura.codificacion",
    "Consumidor": "infraestructura.declaracion",
    "consumer": "infraestructura.declaracion",
    "message_handler": "infraestructura.declaracion",
    "on_event": "infraestructura.declaracion",
    "MensajeriaEnHilo": "infraestructura.hilo",
    "en_nombre_de": "infraestructura.inquilinos",
    "Mensajeria": "infraestructura.mensajeria",
    "ErrorPermanente": "infraestructura.politica",
    "Reintentos": "infraestructura.politica",
    "Proyeccion": "infraestructura.proyecciones",
    "proyeccion": "infraestructura.proyecciones",
    "PublicarAlResponder": "infraestructura.respuesta",
    "EventoIntegracion": "infraestructura.schema.v1.mensajes",
    "Sistema": "infraestructura.sistema",
    "bootstrap": "infraestructura.sistema",
    "configurar_celery_app": "infraestructura.tareas_celery",
}


def __getattr__(nombre: str) -> Any:
    if nombre not in _DONDE:
        raise AttributeError(f"module {__name__!r} has no attribute {nombre!r}")
    return getattr(import_module(f"{__name__}.{_DONDE[nombre]}"), nombre)


def __dir__() -> list[str]:
    return sorted([*_DONDE, "__version__"])
