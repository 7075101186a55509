"""Lo que se le pregunta a Kafka de una vez: tópicos, posiciones. Todo síncrono, para correr en un hilo."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import structlog
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from seedwork.infraestructura.brokers import BrokerNoDisponible, ErrorBroker
from seedwork.infraestructura.brokers.kafka.configuracion import Configuracion

T = TypeVar("T")
_log = structlog.get_logger(__name__)

PLAZO_S = 8.0
_AVISO_S = 5.0
_REINTENTO_S = 0.1
_PROPAGACION_S = 10.0  # lo que puede tardar Kafka en nombrar un tópico recién creado
TAMANO_MAXIMO = 5 * 1024 * 1024
_SOBRECARGA = 1024 * 1024  # lo que pueden ocupar además las cabeceras escapadas y el sobre
_SIN_REMEDIO = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.UNSUPPORTED_SASL_MECHANISM,
    KafkaError._AUTHENTICATION,
    KafkaError._INVALID_ARG,
    KafkaError._UNSUPPORTED_FEATURE,
    KafkaError.INVALID_REPLICATION_FACTOR,
    KafkaError.INVALID_PARTITIONS,
    KafkaError.POLICY_VIOLATION,
)
_PASAJEROS = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError._WAIT_COORD,
)

# librdkafka escribe por su cuenta en la salida de errores: aquí cada suceso lo cuenta quien lo sufre.
_registro_cliente = logging.getLogger("seedwork.kafka.cliente")
_registro_cliente.setLevel(logging.CRITICAL)


class TopicoImposible(ErrorBroker):
    """Kafka no admite un tópico con ese nombre."""

    def __init__(self, topico: str, motivo: str) -> None:
        super().__init__(f"Kafka no admite el tópico {topico!r}: {motivo}")
        self.topico = topico


class Cliente:
    """El acceso de un broker a Kafka. Conecta la primera vez que se usa; sirve desde varios hilos."""

    def __init__(self, configuracion: Configuracion) -> None:
        self._configuracion = configuracion
        self._candado = threading.Lock()
        self._admin: AdminClient | None = None
        self._proximo_aviso = 0.0
        self._creados: dict[str, tuple[int, float]] = {}
        self.topicos: dict[str, int] = {}
        """Los tópicos conocidos y sus particiones."""

    @property
    def particiones(self) -> int:
        return self._configuracion.particiones

    def opciones(self, **propias: Any) -> dict[str, Any]:
        """La configuración de un cliente; en `propias`, el guion bajo es un punto."""
        return {
            "bootstrap.servers": self._configuracion.servidores,
            "client.id": "seedwork",
            "error_cb": self._anotar,
            "logger": _registro_cliente,
            "socket.keepalive.enable": True,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1000,
            **self._configuracion.cliente,
            **{n if n.startswith("on_") else n.replace("_", "."): valor for n, valor in propias.items()},
        }

    def consumidor(self, grupo: str, **propias: Any) -> Consumer:
        with self.traducir():
            return Consumer(
                self.opciones(
                    **{
                        "group_id": grupo,
                        "enable_auto_commit": False,
                        "auto_offset_reset": "earliest",
                        "enable_partition_eof": False,
                        "allow_auto_create_topics": False,
                        "fetch_wait_max_ms": 100,
                        "fetch_error_backoff_ms": 100,
                        # Lo que la biblioteca guarda además de lo que guardamos nosotros.
                        "fetch_queue_backoff_ms": 10,
                        "queued_max_messages_kbytes": 16 * 1024,
                        **propias,
                    }
                )
            )

    # --- tópicos ----------------------------------------------------------------------------------------------------

    def olvidar(self, topico: str) -> None:
        """Kafka dice que ya no existe."""
        self.topicos.pop(topico, None)
        self._creados.pop(topico, None)

    def listar(self) -> dict[str, int]:
        """Los tópicos que hay ahora, con sus particiones."""
        with self.traducir():
            hay = self._abrir().list_topics(timeout=PLAZO_S).topics
        ahora = time.monotonic()
        recientes = {nombre: n for nombre, (n, hasta_s) in list(self._creados.items()) if hasta_s > ahora}
        self.topicos = recientes | {n: len(t.partitions) for n, t in hay.items() if t.error is None and t.partitions}
        return self.topicos

    def asegurar(self, nombres: Collection[str], *, compactado: bool = False, particiones: int | None = None) -> None:
        """Crea los que falten."""
        faltan = [nombre for nombre in nombres if nombre not in self.topicos]
        if faltan:
            hay = self.listar()
            faltan = [nombre for nombre in faltan if nombre not in hay]
        if faltan:
            self._crear(faltan, particiones or self.particiones, compactado=compactado)

    def _crear(self, nombres: Iterable[str], particiones: int, *, compactado: bool) -> None:
        ajustes = {"max.message.bytes": str(TAMANO_MAXIMO + 2 * _SOBRECARGA)}
        if compactado:
            ajustes["cleanup.policy"] = "compact"
        nuevos = [NewTopic(nombre, particiones, self._configuracion.replicas, config=ajustes) for nombre in nombres]
        with self.traducir():
            futuros = self._abrir().create_topics(nuevos, operation_timeout=PLAZO_S, request_timeout=PLAZO_S)
        for nombre, futuro in futuros.items():
            try:
                _resultado(futuro)
            except KafkaException as error:
                codigo = _codigo(error)
                if codigo == KafkaError.TOPIC_EXCEPTION:
                    raise TopicoImposible(nombre, error.args[0].str()) from error
                if codigo != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise self.como_nuestro(error) from error
            self._creados[nombre] = particiones, time.monotonic() + _PROPAGACION_S
            self.topicos.setdefault(nombre, particiones)

    def limite(self, topico: str) -> int:
        """Los bytes que admite un mensaje de ese tópico, contando lo que el protocolo añade."""
        recurso = ConfigResource(ResourceType.TOPIC, topico)

        def preguntar() -> int:
            [futuro] = self._abrir().describe_configs([recurso], request_timeout=PLAZO_S).values()
            return int(_resultado(futuro)["max.message.bytes"].value)

        return self._insistir(preguntar)

    # --- posiciones -------------------------------------------------------------------------------------------------

    def desde(self, topicos: Mapping[str, int], fecha_ms: int | None) -> list[TopicPartition]:
        """Dónde empieza en cada partición lo publicado desde esa fecha; su fin si es None o no hay nada."""
        todas = [TopicPartition(nombre, n) for nombre, cuantas in topicos.items() for n in range(cuantas)]
        fines = self._posiciones(todas, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        if fecha_ms is None:
            return fines
        con_fecha = self._posiciones(todas, OffsetSpec.for_timestamp(fecha_ms))
        de_fecha = {(p.topic, p.partition): p.offset for p in con_fecha}
        for fin in fines:
            if (offset := de_fecha[fin.topic, fin.partition]) >= 0:
                fin.offset = offset
        return fines

    def _posiciones(self, particiones: list[TopicPartition], cuales: OffsetSpec) -> list[TopicPartition]:
        if not particiones:
            return []

        def preguntar() -> list[TopicPartition]:
            futuros = self._abrir().list_offsets(dict.fromkeys(particiones, cuales), request_timeout=PLAZO_S)
            return [TopicPartition(p.topic, p.partition, _resultado(futuro).offset) for p, futuro in futuros.items()]

        return self._insistir(preguntar)

    def confirmada(self, grupo: str, particion: TopicPartition) -> bool:
        """Si ese grupo tiene una posición guardada en esa partición."""

        def preguntar() -> bool:
            [guardada] = consumidor.committed([particion], timeout=PLAZO_S)
            if guardada.error is not None:
                raise KafkaException(guardada.error)
            return bool(guardada.offset >= 0)

        with self._fuera_del_grupo(grupo) as consumidor:
            return self._insistir(preguntar)

    def fijar(self, grupo: str, posiciones: list[TopicPartition]) -> None:
        """Guarda las posiciones de un grupo que todavía no tiene consumidores; si ya los tiene, no hace nada."""

        def guardar() -> None:
            error = confirmar(consumidor, posiciones)
            if error is not None and error.code() not in (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.NON_EMPTY_GROUP):
                raise KafkaException(error)

        with self._fuera_del_grupo(grupo) as consumidor:
            self._insistir(guardar)

    @contextlib.contextmanager
    def _fuera_del_grupo(self, grupo: str) -> Iterator[Consumer]:
        """Un consumidor que mira y guarda las posiciones del grupo sin entrar en él.

        El administrador de librdkafka también sabe, pero tumba el proceso si el coordinador está arrancando.
        """
        consumidor = self.consumidor(grupo, session_timeout_ms=6000)
        try:
            with self.traducir():
                yield consumidor
        finally:
            consumidor.close()

    def _insistir(self, pregunta: Callable[[], T]) -> T:
        """Un tópico o un grupo recién creados, no todos los servidores los conocen en seguida."""
        limite = time.monotonic() + PLAZO_S
        while True:
            try:
                return pregunta()
            except KafkaException as error:
                if _codigo(error) not in _PASAJEROS or time.monotonic() > limite:
                    raise self.como_nuestro(error) from error
            time.sleep(_REINTENTO_S)

    # --- errores ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def traducir(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            raise self.como_nuestro(error) from error

    def como_nuestro(self, error: KafkaException | KafkaError) -> ErrorBroker:
        fallo = error.args[0] if isinstance(error, KafkaException) else error
        donde = self._configuracion.servidores
        if fallo.code() in _SIN_REMEDIO:
            return ErrorBroker(f"Kafka en {donde} lo rechaza: {fallo.str()}")
        return BrokerNoDisponible(f"Kafka en {donde} no responde: {fallo.str()}")

    def _anotar(self, error: KafkaError) -> None:
        # El cliente lo repite por cada conexión y cada intento.
        if (ahora := time.monotonic()) >= self._proximo_aviso:
            self._proximo_aviso = ahora + _AVISO_S
            _log.warning("kafka.sin_conexion", error=error.str())

    def _abrir(self) -> AdminClient:
        with self._candado:
            if self._admin is None:
                self._admin = AdminClient(self.opciones())
            return self._admin


def _resultado(futuro: Any) -> Any:
    try:
        return futuro.result(PLAZO_S + 1)
    except TimeoutError as error:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no contestó a tiempo")) from error


def _codigo(error: KafkaException) -> int:
    return int(error.args[0].code())


def confirmar(consumidor: Consumer, posiciones: list[TopicPartition]) -> KafkaError | None:
    try:
        hechas = consumidor.commit(offsets=posiciones, asynchronous=False)
    except KafkaException as error:
        fallo: KafkaError = error.args[0]
        return fallo
    return next((posicion.error for posicion in hechas or () if posicion.error is not None), None)
