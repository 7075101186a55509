"""Ejecutar comandos después, en un worker de Celery.

El comando se escribe en el outbox, con la transacción que lo pide. El relay lo publica, y un consumidor de este
servicio lo entrega a Celery: si Celery no está, espera sin retener nada de lo demás. El worker lo ejecuta con su propia
unidad de trabajo y una entrada del inbox: aunque llegue dos veces, tiene un solo efecto.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.diferidas import EjecucionesProhibidas, SinEjecutorDiferido
from seedwork.aplicacion.firmas import ErrorDeArranque, nombre_de
from seedwork.aplicacion.mensajes import Entrada, YaProcesada
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.tablas import SinHandler
from seedwork.dominio.eventos import ahora, nuevo_id
from seedwork.infraestructura.brokers import BrokerNoDisponible
from seedwork.infraestructura.codificacion import MensajeInvalido
from seedwork.infraestructura.declaracion import Consumidor, message_handler
from seedwork.infraestructura.inquilinos import en_nombre_de
from seedwork.infraestructura.outbox import DespachadorOutbox
from seedwork.infraestructura.politica import Reintentos, es_de_infraestructura
from seedwork.infraestructura.uow import UnidadTrabajoSQLAlchemy

if TYPE_CHECKING:
    from seedwork.infraestructura.sistema import Sistema

TAREA = "seedwork.ejecutar_comando"
_SUSCRIPCION = "tareas-celery"
_ESPERA_MAXIMA_S = 60.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ComandoDiferido:
    """Un comando camino de Celery: su nombre, su JSON, y en nombre de quién se ejecuta."""

    id: str
    comando: str
    contenido: str
    no_antes: datetime
    usuario: str | None
    schema: str | None


class ColaCelery:
    """Lo que un sistema sabe de su Celery, y cómo se escriben y se leen sus comandos."""

    def __init__(self, servicio: str, *, permitida: bool) -> None:
        self.topico = f"tareas-celery.{servicio}"
        self.permitida = permitida
        self.app: Any = None
        self._comandos: Mapping[str, type] = {}

    def atiende(self, comandos: Iterable[type]) -> None:
        """Los únicos comandos que se escriben y se leen."""
        self._comandos = {nombre_de(tipo): tipo for tipo in comandos}

    def escribir(self, comando: Comando[Any]) -> str:
        """El comando en JSON; `SinHandler`, o `ValueError` si su tipo no se puede escribir y volver a leer."""
        nombre = nombre_de(type(comando))
        if self._comandos.get(nombre) is not type(comando):
            raise SinHandler(f"Ningún módulo atiende {nombre}")
        try:
            adaptador = TypeAdapter(type(comando))
            texto = adaptador.dump_json(comando).decode()
            adaptador.validate_json(texto)
        except (PydanticUserError, PydanticSerializationError, ValidationError, NameError) as error:
            raise ValueError(f"{nombre} no se puede ejecutar después, porque no se puede escribir: {error}") from error
        return texto

    def leer(self, nombre: str, contenido: str) -> Comando[Any]:
        """El comando escrito; `MensajeInvalido` si no es de este sistema o no es válido."""
        tipo = self._comandos.get(nombre)
        if tipo is None:
            raise MensajeInvalido(f"Aquí no hay ningún comando {nombre!r}")
        try:
            comando: Comando[Any] = TypeAdapter(tipo).validate_json(contenido)
        except ValidationError as error:
            raise MensajeInvalido(f"No es un {nombre} válido: {error}") from error
        return comando

    def entregar(self, diferido: ComandoDiferido) -> None:
        """Lo manda a Celery; `BrokerNoDisponible` si el broker de Celery no lo acepta."""
        from kombu.exceptions import OperationalError

        try:
            self.app.send_task(
                TAREA,
                kwargs=to_jsonable_python(diferido),
                task_id=diferido.id,
                eta=diferido.no_antes,
                serializer="json",
            )
        except OperationalError as error:
            raise BrokerNoDisponible(f"El broker de Celery no responde: {error}") from error


class EjecucionesCelery:
    """Implementa `EjecucionesDiferidas` en la transacción en curso."""

    def __init__(self, uow: UnidadTrabajoSQLAlchemy, despachador: DespachadorOutbox, cola: ColaCelery) -> None:
        self._uow = uow
        self._despachador = despachador
        self._cola = cola

    def ejecutar_despues(self, comando: Comando[Any], *, espera_s: float = 0.0) -> str:
        if not self._cola.permitida:
            raise EjecucionesProhibidas(
                "Este sistema se armó con `permitir_ejecuciones_asincronas=False`: no puede dejar comandos para después"
            )
        if self._cola.app is None:
            raise SinEjecutorDiferido(
                "Celery no está configurado: llame antes a configurar_celery_app(celery_app, bus)"
            )
        if not 0 <= espera_s < math.inf:
            raise ValueError("`espera_s` son segundos, desde 0")
        usuario = self._uow.usuario
        diferido = ComandoDiferido(
            id=str(nuevo_id()),
            comando=nombre_de(type(comando)),
            contenido=self._cola.escribir(comando),
            no_antes=ahora() + timedelta(seconds=espera_s),
            usuario=None if usuario is None else str(usuario),
            schema=self._uow.schema,
        )
        self._despachador.publicar(diferido, topico=self._cola.topico, id=diferido.id, tipo=TAREA)
        return diferido.id


def configurar_celery_app(celery_app: Any, bus: Sistema) -> None:
    """Une un `bus` con una aplicación de Celery; se llama en el API y en el worker, antes de crear la `Mensajeria`.

    En el worker define la tarea que ejecuta los comandos. En quien consuma (`Mensajeria(bus=bus)`) añade el consumidor
    que los entrega a Celery. Lanza `ErrorDeArranque` si el bus no tiene base de datos o ya tiene otra aplicación.
    """
    if bus.motor is None:
        raise ErrorDeArranque("Las ejecuciones con Celery pasan por el outbox: dé `base_datos` a bootstrap")
    if bus.cola.app is not None:
        if bus.cola.app is celery_app:
            return
        raise ErrorDeArranque("Este bus ya tiene otra aplicación de Celery")
    from celery.signals import worker_process_init  # type: ignore[import-untyped]

    if bus.cola.permitida:
        bus.modulos = (*bus.modulos, Modulo(nombre=_SUSCRIPCION, consumidores=[_consumidor(bus.cola)]))
    bus.cola.app = celery_app
    celery_app.conf.broker_transport_options = {
        "confirm_publish": True,  # en AMQP, entregar es que el broker lo tenga
        **(celery_app.conf.broker_transport_options or {}),
    }
    motor = bus.motor

    def al_nacer(**_: Any) -> None:
        motor.dispose(close=False)  # las conexiones heredadas del padre son del padre

    worker_process_init.connect(al_nacer, weak=False)

    # Sin acuse hasta terminar, y de vuelta a la cola si el proceso muere: el inbox evita que se repita el efecto.
    @celery_app.task(
        name=TAREA, bind=True, acks_late=True, reject_on_worker_lost=True, serializer="json", max_retries=None
    )  # type: ignore[untyped-decorator]
    def ejecutar_comando(tarea: Any, **diferido: Any) -> Any:
        try:
            return to_jsonable_python(_ejecutar(bus, **diferido))
        except Exception as error:
            if not es_de_infraestructura(error):
                raise
            espera_s = min(_ESPERA_MAXIMA_S, 2.0**tarea.request.retries)
            raise tarea.retry(exc=error, countdown=espera_s) from error


def _ejecutar(
    bus: Sistema, *, id: str, comando: str, contenido: str, usuario: str | None, schema: str | None, **_: Any
) -> Any:
    leido = bus.cola.leer(comando, contenido)
    with en_nombre_de(usuario=usuario, schema=schema):
        try:
            return bus.ejecutar_una_vez(leido, Entrada(suscripcion=_SUSCRIPCION, id=id))
        except YaProcesada as previa:
            _log.info("celery.repetido", id=id, comando=comando)
            return previa.resultado


def _consumidor(cola: ColaCelery) -> Consumidor:
    def entregar(diferido: ComandoDiferido) -> None:
        cola.entregar(diferido)

    return message_handler(
        cola.topico,
        use_case_name=_SUSCRIPCION,
        schema=ComandoDiferido,
        reintentos=Reintentos(maximo=None, espera_s=1, factor=2, tope_s=_ESPERA_MAXIMA_S),
        orden="relajado",
    )(entregar)
