"""Ejecutar comandos después, en un worker de Celery.

El comando se escribe en el outbox, con la transacción que lo pide. El relay lo publica, y un consumidor de este
servicio lo entrega a Celery: si Celery no está, espera sin retener nada de lo demás. El worker lo ejecuta con su propia
unidad de trabajo y una entrada del inbox: aunque llegue dos veces, tiene un solo efecto. El que mata una y otra vez al
proceso que lo ejecuta vuelve por el mismo camino y acaba en las letras muertas.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import structlog
from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.diferidas import EjecucionesProhibidas, SinEjecutorDiferido
from seedwork.aplicacion.firmas import ErrorDeArranque, nombre_de
from seedwork.aplicacion.mensajes import Entrada, Inbox, YaProcesada
from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.tablas import SinHandler
from seedwork.aplicacion.transaccion import Transaccion
from seedwork.dominio.eventos import ahora, nuevo_id
from seedwork.infraestructura.brokers import BrokerNoDisponible
from seedwork.infraestructura.codificacion import MensajeInvalido
from seedwork.infraestructura.declaracion import Consumidor, message_handler
from seedwork.infraestructura.inquilinos import en_nombre_de
from seedwork.infraestructura.outbox import DespachadorOutbox
from seedwork.infraestructura.politica import ErrorPermanente, Reintentos, es_de_infraestructura
from seedwork.infraestructura.uow import UnidadTrabajoSQLAlchemy

if TYPE_CHECKING:
    from seedwork.infraestructura.sistema import Sistema

TAREA = "seedwork.ejecutar_comando"
MUERTES_MAXIMAS = 3
_SUSCRIPCION = "tareas-celery"
_APARTADOS = "tareas-celery.apartados"
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
        bus.modulos = (*bus.modulos, Modulo(nombre=_SUSCRIPCION, consumidores=[_consumidor(bus)]))
    bus.cola.app = celery_app
    celery_app.conf.broker_transport_options = {
        "confirm_publish": True,  # en AMQP, entregar es que el broker lo tenga
        **(celery_app.conf.broker_transport_options or {}),
    }
    motor = bus.motor

    def al_nacer(**_: Any) -> None:
        motor.dispose(close=False)  # las conexiones heredadas del padre son del padre

    worker_process_init.connect(al_nacer, weak=False)

    # Sin acuse hasta terminar, y de vuelta a la cola si el proceso muere: el inbox evita que se repita el efecto, y
    # Celery no cuenta esas muertes.
    @celery_app.task(
        name=TAREA, bind=True, acks_late=True, reject_on_worker_lost=True, serializer="json", max_retries=None
    )  # type: ignore[untyped-decorator]
    def ejecutar_comando(tarea: Any, muertes: int = 0, **diferido: Any) -> Any:
        if tarea.request.delivery_info.get("redelivered"):
            return _contar_muerte(bus, tarea, muertes + 1, diferido)
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


def _contar_muerte(bus: Sistema, tarea: Any, muertes: int, diferido: Mapping[str, Any]) -> None:
    """Murió quien lo ejecutaba. Antes de que nadie empiece otra vez, la cuenta queda en un mensaje nuevo de Celery."""
    from celery.exceptions import Reject  # type: ignore[import-untyped]

    try:
        if muertes >= MUERTES_MAXIMAS:
            _apartar(bus, TypeAdapter(ComandoDiferido).validate_python(diferido))
        else:
            tarea.apply_async(kwargs={**diferido, "muertes": muertes}, task_id=tarea.request.id, serializer="json")
    except Exception as error:
        time.sleep(1)  # ni Celery ni la base: vuelve a la cola tal como estaba
        raise Reject(error, requeue=True) from error


def _apartar(bus: Sistema, diferido: ComandoDiferido) -> None:
    """Lo devuelve a su tópico, anotado: el consumidor que lo reciba lo deja en las letras muertas."""

    def devolver(transaccion: Transaccion) -> None:
        transaccion.ambito.get(Inbox).anotar(_apartado(diferido))
        despachador: DespachadorOutbox = transaccion.ambito.get(DespachadorOutbox)
        despachador.publicar(diferido, topico=bus.cola.topico, tipo=TAREA)

    with en_nombre_de(usuario=diferido.usuario, schema=diferido.schema), suppress(YaProcesada):
        bus.en_transaccion(devolver)
    _log.error("celery.apartado", id=diferido.id, comando=diferido.comando, muertes=MUERTES_MAXIMAS)


def _apartado(diferido: ComandoDiferido) -> Entrada:
    return Entrada(suscripcion=_APARTADOS, id=diferido.id)


def _consumidor(bus: Sistema) -> Consumidor:
    def entregar(diferido: ComandoDiferido) -> None:
        entrada = _apartado(diferido)
        if bus.leer(lambda ambito: cast("Inbox", ambito.get(Inbox)).vista(entrada)):
            # Se olvida: si lo reenvían desde las letras muertas, vuelve a Celery con la cuenta a cero.
            bus.en_transaccion(lambda t: cast("Inbox", t.ambito.get(Inbox)).olvidar(entrada))
            raise ErrorPermanente(f"{diferido.comando} mató {MUERTES_MAXIMAS} veces al proceso que lo ejecutaba")
        bus.cola.entregar(diferido)

    return message_handler(
        bus.cola.topico,
        use_case_name=_SUSCRIPCION,
        schema=ComandoDiferido,
        reintentos=Reintentos(maximo=None, espera_s=1, factor=2, tope_s=_ESPERA_MAXIMA_S),
        orden="relajado",
    )(entregar)
