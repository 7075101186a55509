"""El hilo de un consumidor: lee, atiende los cambios de particiones y guarda posiciones."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from seedwork.infraestructura.brokers import BrokerNoDisponible, ErrorBroker
from seedwork.infraestructura.brokers.kafka import nombres
from seedwork.infraestructura.brokers.kafka.asiento import leer
from seedwork.infraestructura.brokers.kafka.cliente import PLAZO_S, Cliente, confirmar
from seedwork.infraestructura.brokers.kafka.particion import SIN_POSICION, Crudo, Particion
from seedwork.infraestructura.brokers.kafka.reparto import Cual, Guardado, Reparto

_log = structlog.get_logger(__name__)

SESION_S = 8.0  # sin latido en este tiempo, Kafka da por muerto al consumidor y reparte lo suyo
_LATIDO_S = 0.3
_SONDEO_S = 0.1
_PULSO_MINIMO_S, _PULSO_MAXIMO_S = 0.002, 0.02
_REINTENTO_S = 0.05
_TANDA = 1_000
# El intérprete no pasa de un hilo a otro hasta que el primero espera a algo, o a los 5 ms: con esto el que guarda
# empieza en el acto, y guarda mientras el event loop sigue a lo suyo.
_CESION_S = 0.000_05
REVOCACION_S = 120.0  # lo más que se retiene una partición que debe irse mientras haya algo suyo en curso
_CIERRE_S = 3.0


Peticion = tuple[Future[None], float]  # y hasta cuándo vale la pena


class Consumo:
    """Un miembro del grupo `suscripcion`. Entra en él con `arrancar` y sale con `parar`.

    El grupo sólo se reparte el tópico de reintentos: a quien le toca su partición n le tocan las de resto n de los
    demás tópicos. Así cada tópico queda repartido por igual, una clave está en un solo consumidor aunque venga de
    varios tópicos, y que aparezca uno nuevo no detiene a nadie.

    Lo que debe pasar a otro consumidor espera a que se responda por lo que hay de ello en manos de éste: así una clave
    no está en dos manos. El cliente sólo se toca desde su hilo: confluent-kafka hace esperar, quizá para siempre, a los
    demás hilos mientras uno esté leyendo.
    """

    def __init__(
        self,
        cliente: Cliente,
        suscripcion: str,
        reparto: Reparto,
        topicos: Mapping[str, int],
        avisar: Callable[[], None],
    ) -> None:
        self._cliente = cliente
        self._suscripcion = suscripcion
        self._reparto = reparto
        self._propio = nombres.de_reintentos(suscripcion)
        self._total = topicos[self._propio]
        self._topicos = dict(topicos)
        self._atendidos: dict[str, int] = {}
        self._turnos: set[int] = set()  # las particiones del tópico de reintentos que le tocan
        self._avisar = avisar
        self._consumidor: Consumer | None = None
        self._hilo: threading.Thread | None = None
        self._parando = threading.Event()
        self._despierta = threading.Event()
        self._peticiones: deque[Peticion] = deque()
        self._proximo_guardado = 0.0
        self._pulso_s = _PULSO_MINIMO_S
        self._lleno_desde: float | None = None
        self._pausadas: set[Cual] = set()
        self.error: ErrorBroker | None = None
        self.terminado = threading.Event()

    def arrancar(self) -> None:
        if self._hilo is None and not self._parando.is_set():
            self._hilo = threading.Thread(target=self._correr, name=f"kafka-{self._suscripcion}", daemon=True)
            self._hilo.start()

    def atender(self, topicos: Mapping[str, int]) -> None:
        """Los tópicos que le interesan y sus particiones; los que ya tenía siguen, que borrados pueden volver."""
        if nuevos := {t: n for t, n in topicos.items() if n > self._topicos.get(t, 0)}:
            self._topicos = self._topicos | nuevos

    @property
    def con_parte(self) -> bool:
        """Si ya le ha tocado algo."""
        return bool(self._turnos)

    def hay_sitio(self) -> None:
        """Se dio algo de lo leído: puede que quepa más."""
        if (self._lleno_desde is not None or self._pausadas) and self._reparto.holgado:
            self._despierta.set()

    def guardar(self) -> Future[None]:
        """Se cumple cuando Kafka tiene guardado lo que ha cambiado; si no contesta a tiempo, `BrokerNoDisponible`."""
        futuro: Future[None] = Future()
        if self._hilo is None or self.terminado.is_set():
            futuro.set_result(None)  # nada es suyo ya
            return futuro
        self._peticiones.append((futuro, time.monotonic() + PLAZO_S))
        self._despierta.set()
        time.sleep(_CESION_S)
        if self.terminado.is_set():
            self._contestar(None)
        return futuro

    def parar(self) -> bool:
        """Pide salir del grupo; dice si hay que esperar a `terminado`."""
        self._parando.set()
        self._despierta.set()
        return self._hilo is not None

    # --- el hilo ----------------------------------------------------------------------------------------------------

    def _correr(self) -> None:
        try:
            self._consumidor = self._cliente.consumidor(
                self._suscripcion,
                partition_assignment_strategy="cooperative-sticky",
                session_timeout_ms=int(SESION_S * 1000),
                heartbeat_interval_ms=int(_LATIDO_S * 1000),
                max_poll_interval_ms=int(REVOCACION_S * 1000) * 3,
                topic_metadata_refresh_interval_ms=30_000,
            )
            self._consumidor.subscribe(
                [self._propio], on_assign=self._al_asignar, on_revoke=self._al_revocar, on_lost=self._al_perder
            )
            while not self._parando.is_set():
                self._vuelta(self._consumidor)
        except ErrorBroker as error:
            self.error = error
        except KafkaException as error:
            self.error = self._cliente.como_nuestro(error)
        except Exception as error:  # noqa: BLE001 - un hilo no tiene a quién lanzarle: lo dirá `recibir`
            _log.exception("kafka.consumo_roto", suscripcion=self._suscripcion)
            self.error = ErrorBroker(f"El consumidor de {self._suscripcion!r} falló: {error!r}")
        finally:
            self._salir()
            self.terminado.set()
            self._contestar(self.error)
            self._avisar()

    def _vuelta(self, consumidor: Consumer) -> None:
        if self._topicos is not self._atendidos:
            antes, self._atendidos = self._atendidos, self._topicos
            nuevas = self._mias(self._turnos, self._atendidos) - self._mias(self._turnos, antes)
            self._empezar(consumidor, nuevas)
        self._atender_peticiones()
        if not self._regular(consumidor):
            self._dormir()
        elif llegados := consumidor.consume(_TANDA, 0):
            self._pulso_s = _PULSO_MINIMO_S
            self._entrar(llegados)
        elif self._peticiones or self._reparto.ocupado:
            self._dormir()  # pronto habrá algo que guardar, y mientras lee no puede atenderlo
        elif primero := consumidor.consume(1, _SONDEO_S):
            self._entrar(primero + consumidor.consume(_TANDA, 0))

    def _dormir(self) -> None:
        if self._despierta.wait(self._pulso_s):
            self._despierta.clear()
            self._pulso_s = _PULSO_MINIMO_S
        else:
            self._pulso_s = min(_PULSO_MAXIMO_S, self._pulso_s * 1.2)

    def _entrar(self, llegados: list[Crudo]) -> None:
        if llegados:
            if any(map(Message.error, llegados)):
                llegados = [mensaje for mensaje in llegados if self._es_mensaje(mensaje)]
            self._reparto.entrar(llegados)
            self._avisar()

    def _es_mensaje(self, mensaje: Crudo) -> bool:
        error = mensaje.error()
        if error is None:
            return True
        if error.fatal() or error.code() in (KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError._AUTHENTICATION):
            raise KafkaException(error)
        _log.warning("kafka.consumo", suscripcion=self._suscripcion, error=error.str())
        return False

    def _regular(self, consumidor: Consumer) -> bool:
        """Si conviene leer. Pausar tira lo que el cliente ya trajo: antes se espera un poco sin leer."""
        lleno = self._reparto.lleno
        if lleno and not self._pausadas:
            ahora = time.monotonic()
            self._lleno_desde = self._lleno_desde or ahora
            if ahora - self._lleno_desde < _SONDEO_S:
                return False
        if not lleno:
            self._lleno_desde = None
        todas = lleno or (bool(self._pausadas) and not self._reparto.holgado)
        deben = self._reparto.en_pausa(todas=todas)
        if not deben and not self._pausadas:
            return True
        asignadas = {(p.topic, p.partition) for p in consumidor.assignment()}
        if parar := (deben & asignadas) - self._pausadas:
            consumidor.pause(_particiones(parar))
        if seguir := (self._pausadas & asignadas) - deben:
            consumidor.resume(_particiones(seguir))
        self._pausadas = deben & asignadas
        return True

    def _salir(self) -> None:
        """Guarda lo que hay y deja el grupo; las particiones pasan a otro en seguida."""
        if self._consumidor is None:
            return
        self._parando.set()
        salen = self._reparto.soltar_particiones(self._reparto.todas())
        try:
            self._guardar_final(salen)
        except ErrorBroker as error:
            _log.warning("kafka.posiciones_perdidas", suscripcion=self._suscripcion, error=str(error))
        self._reparto.olvidar(salen)
        with contextlib.suppress(KafkaException, RuntimeError):
            self._consumidor.close()

    # --- particiones que entran y salen -----------------------------------------------------------------------------

    def _mias(self, turnos: Collection[int], topicos: Mapping[str, int]) -> set[Cual]:
        return {(t, n) for t, cuantas in topicos.items() for n in range(cuantas) if n % self._total in turnos}

    def _al_asignar(self, consumidor: Consumer, particiones: list[TopicPartition]) -> None:
        llegan = {p.partition for p in particiones}
        self._empezar(consumidor, self._mias(llegan, self._atendidos))
        self._turnos |= llegan
        self._avisar()

    def _empezar(self, consumidor: Consumer, cuales: Collection[Cual]) -> None:
        if not cuales:
            return
        # Sin saber ya quién las tiene, tardaría un segundo más en leerlas. Con `list_topics`, dentro de un aviso,
        # confluent-kafka pierde su estado: si en la misma lectura sigue otro aviso, aborta el proceso.
        if ajenos := {topico for topico, _ in cuales} - {self._propio}:
            with contextlib.suppress(KafkaException):
                consumidor.offsets_for_times([TopicPartition(topico, 0, 0) for topico in ajenos], PLAZO_S)
        guardadas = self._leer_posiciones(consumidor, _particiones(cuales))
        desde = self._reparto.asignar(
            (p.topic, p.partition, leer(p.offset if p.offset >= 0 else SIN_POSICION, p.metadata)) for p in guardadas
        )
        consumidor.incremental_assign(
            [TopicPartition(t, n, offset if offset >= 0 else _OFFSET_INICIO) for t, n, offset in desde]
        )

    def _leer_posiciones(self, consumidor: Consumer, particiones: list[TopicPartition]) -> list[TopicPartition]:
        limite = time.monotonic() + SESION_S * 2
        while True:
            try:
                guardadas = consumidor.committed(particiones, timeout=PLAZO_S)
                for particion in guardadas:
                    if particion.error is not None:
                        raise KafkaException(particion.error)
                return guardadas
            except KafkaException:
                if self._parando.is_set() or time.monotonic() > limite:
                    raise
                time.sleep(_SONDEO_S)

    def _al_revocar(self, consumidor: Consumer, particiones: list[TopicPartition]) -> None:
        cuales = self._quitar(particiones)
        salen = self._reparto.soltar_particiones(cuales)
        limite = time.monotonic() + REVOCACION_S
        while any(p.en_mano for p in salen) and not self._parando.is_set() and time.monotonic() < limite:
            self._atender_peticiones()
            self._dormir()
        try:
            self._guardar_final(salen)
        except ErrorBroker as error:
            _log.warning("kafka.posiciones_perdidas", suscripcion=self._suscripcion, error=str(error))
        self._reparto.olvidar(salen)
        consumidor.incremental_unassign(_particiones(cuales))

    def _al_perder(self, consumidor: Consumer, particiones: list[TopicPartition]) -> None:
        _log.warning("kafka.particiones_perdidas", suscripcion=self._suscripcion, cuantas=len(particiones))
        cuales = self._quitar(particiones)
        self._reparto.perder(cuales)
        consumidor.incremental_unassign(_particiones(cuales))

    def _quitar(self, particiones: Sequence[TopicPartition]) -> set[Cual]:
        """Lo que deja de tocarle con esas particiones del tópico de reintentos."""
        salen = {p.partition for p in particiones}
        cuales = self._mias(self._turnos & salen, self._atendidos)
        self._turnos -= salen
        self._pausadas -= cuales
        return cuales

    # --- guardar ----------------------------------------------------------------------------------------------------

    def _atender_peticiones(self) -> None:
        ahora = time.monotonic()
        if not self._peticiones or ahora < self._proximo_guardado:
            return
        peticiones = [self._peticiones.popleft() for _ in range(len(self._peticiones))]
        fallo = self._guardar()
        if fallo is None:
            for futuro, _ in peticiones:
                _cumplir(futuro, None)
            return
        ahora = time.monotonic()
        self._proximo_guardado = ahora + _REINTENTO_S
        error = BrokerNoDisponible(f"Kafka no guardó las posiciones de {self._suscripcion!r}: {fallo.str()}")
        for futuro, limite in reversed(peticiones):
            if limite < ahora:
                _cumplir(futuro, error)
            else:
                self._peticiones.appendleft((futuro, limite))

    def _contestar(self, error: ErrorBroker | None) -> None:
        with contextlib.suppress(IndexError):
            while True:
                _cumplir(self._peticiones.popleft()[0], error)

    def _guardar_final(self, particiones: Sequence[Particion]) -> None:
        limite = time.monotonic() + (_CIERRE_S if self._parando.is_set() else PLAZO_S)
        while (fallo := self._guardar(particiones, final=True)) is not None:
            if time.monotonic() > limite:
                raise BrokerNoDisponible(fallo.str())
            time.sleep(_REINTENTO_S)

    def _guardar(self, particiones: Sequence[Particion] | None = None, *, final: bool = False) -> KafkaError | None:
        """El fallo, si lo hubo. Confirmar es síncrono: entretanto el cliente sigue trayendo mensajes."""
        lote = self._reparto.por_guardar(particiones, final=final)
        if not lote:
            return None
        assert self._consumidor is not None  # noqa: S101 - sin él no hay particiones que guardar
        fallo = confirmar(self._consumidor, _posiciones(lote))
        if fallo is None:
            self._reparto.guardado(lote)
        else:
            self._reparto.sin_guardar(lote)
        return fallo


_OFFSET_INICIO = -2


def _cumplir(futuro: Future[None], error: ErrorBroker | None) -> None:
    with contextlib.suppress(InvalidStateError):  # quien lo pidió ya no espera
        if error is None:
            futuro.set_result(None)
        else:
            futuro.set_exception(error)


def _posiciones(lote: list[Guardado]) -> list[TopicPartition]:
    return [
        TopicPartition(particion.topico, particion.numero, base, metadatos) for particion, base, metadatos, _ in lote
    ]


def _particiones(cuales: Collection[Cual]) -> list[TopicPartition]:
    return [TopicPartition(topico, numero) for topico, numero in cuales]
