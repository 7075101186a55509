"""El hilo de un consumidor: lee, atiende los cambios de particiones y guarda posiciones."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from seedwork.infraestructura.brokers import BrokerNoDisponible, ErrorBroker
from seedwork.infraestructura.brokers.kafka.asiento import leer
from seedwork.infraestructura.brokers.kafka.cliente import PLAZO_S, Cliente
from seedwork.infraestructura.brokers.kafka.particion import SIN_POSICION, Particion
from seedwork.infraestructura.brokers.kafka.reparto import Cual, Guardado, Reparto

_log = structlog.get_logger(__name__)

SESION_S = 8.0  # sin latido en este tiempo, Kafka da por muerto al consumidor y reparte lo suyo
_LATIDO_S = 0.4
_SONDEO_S = 0.1
_PULSO_MINIMO_S, _PULSO_MAXIMO_S = 0.002, 0.02
_REINTENTO_S = 0.05
_TANDA = 1_000
REVOCACION_S = 120.0  # lo más que se retiene una partición que debe irse mientras haya algo suyo en curso
_CIERRE_S = 3.0


Peticion = tuple[Future[None], float]  # y hasta cuándo vale la pena


class Consumo:
    """Un miembro del grupo `suscripcion`. Entra en él con `arrancar` y sale con `parar`.

    Una partición que debe pasar a otro consumidor espera a que se responda por lo que hay de ella en manos de éste:
    así una clave no está en dos manos. El cliente sólo se toca desde su hilo: confluent-kafka hace esperar, quizá para
    siempre, a los demás hilos mientras uno esté leyendo.
    """

    def __init__(
        self, cliente: Cliente, suscripcion: str, reparto: Reparto, topicos: Collection[str], avisar: Callable[[], None]
    ) -> None:
        self._cliente = cliente
        self._suscripcion = suscripcion
        self._reparto = reparto
        self._topicos = set(topicos)
        self._suscritos: set[str] = set()
        self._avisar = avisar
        self._consumidor: Consumer | None = None
        self._hilo: threading.Thread | None = None
        self._parando = threading.Event()
        self._despierta = threading.Event()
        self._peticiones: deque[Peticion] = deque()
        self._en_vuelo: tuple[list[Guardado], list[Peticion], float] | None = None
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

    def atender(self, topicos: Collection[str]) -> None:
        """Los tópicos que existen y le interesan."""
        self._topicos = set(topicos)

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
                on_commit=self._al_guardar,
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
        if self._topicos != self._suscritos:
            self._suscritos = set(self._topicos)
            consumidor.subscribe(
                sorted(self._suscritos), on_assign=self._al_asignar, on_revoke=self._al_revocar, on_lost=self._al_perder
            )
        self._atender_peticiones()
        if not self._regular(consumidor):
            if self._en_vuelo is not None:
                self._entrar(consumidor.consume(1, 0))  # no por él: leer atiende también los acuses
            self._dormir()
        elif llegados := consumidor.consume(_TANDA, 0):
            self._pulso_s = _PULSO_MINIMO_S
            self._entrar(llegados)
        elif self._en_vuelo is not None:
            self._entrar(consumidor.consume(1, _PULSO_MINIMO_S))
        elif self._peticiones or self._reparto.ocupado:
            self._dormir()  # pronto habrá algo que guardar, y mientras lee no puede atenderlo
        else:
            self._entrar(consumidor.consume(1, _SONDEO_S))

    def _dormir(self) -> None:
        if self._despierta.wait(self._pulso_s):
            self._despierta.clear()
            self._pulso_s = _PULSO_MINIMO_S
        else:
            self._pulso_s = min(_PULSO_MAXIMO_S, self._pulso_s * 1.2)

    def _entrar(self, llegados: list[Any]) -> None:
        if llegados:
            self._reparto.entrar([mensaje for mensaje in llegados if self._es_mensaje(mensaje)])
            self._avisar()

    def _es_mensaje(self, mensaje: Any) -> bool:
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

    def _al_asignar(self, consumidor: Consumer, particiones: list[TopicPartition]) -> None:
        if not particiones:
            return
        guardadas = self._leer_posiciones(consumidor, particiones)
        desde = self._reparto.asignar(
            (p.topic, p.partition, leer(p.offset if p.offset >= 0 else SIN_POSICION, p.metadata)) for p in guardadas
        )
        consumidor.incremental_assign(
            [TopicPartition(t, n, offset if offset >= 0 else _OFFSET_INICIO) for t, n, offset in desde]
        )
        self._avisar()

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
        salen = self._reparto.soltar_particiones((p.topic, p.partition) for p in particiones)
        limite = time.monotonic() + REVOCACION_S
        while any(p.en_mano for p in salen) and not self._parando.is_set() and time.monotonic() < limite:
            self._atender_peticiones(esperar=True)
            self._dormir()
        try:
            self._guardar_final(salen)
        except ErrorBroker as error:
            _log.warning("kafka.posiciones_perdidas", suscripcion=self._suscripcion, error=str(error))
        self._reparto.olvidar(salen)
        self._pausadas -= {(p.topic, p.partition) for p in particiones}
        consumidor.incremental_unassign(particiones)

    def _al_perder(self, consumidor: Consumer, particiones: list[TopicPartition]) -> None:
        _log.warning("kafka.particiones_perdidas", suscripcion=self._suscripcion, cuantas=len(particiones))
        self._reparto.perder((p.topic, p.partition) for p in particiones)
        self._pausadas -= {(p.topic, p.partition) for p in particiones}
        consumidor.incremental_unassign(particiones)

    # --- guardar ----------------------------------------------------------------------------------------------------

    def _atender_peticiones(self, *, esperar: bool = False) -> None:
        """Guarda lo que se haya pedido; sin `esperar`, el acuse llega mientras se lee."""
        ahora = time.monotonic()
        if self._en_vuelo is not None:
            if not esperar and ahora < self._en_vuelo[2]:
                return
            self._al_guardar(KafkaError(KafkaError._TIMED_OUT, "no acusó"), [])
        if not self._peticiones or ahora < self._proximo_guardado:
            return
        peticiones = [self._peticiones.popleft() for _ in range(len(self._peticiones))]
        lote = self._reparto.por_guardar()
        if not lote:
            for futuro, _ in peticiones:
                _cumplir(futuro, None)
            return
        self._en_vuelo = (lote, peticiones, ahora + PLAZO_S)
        if esperar:
            self._al_guardar(self._confirmar(lote), [])
        else:
            assert self._consumidor is not None  # noqa: S101 - sin él no hay particiones que guardar
            try:
                self._consumidor.commit(offsets=_posiciones(lote), asynchronous=True)
            except KafkaException as error:
                self._al_guardar(error.args[0], [])

    def _al_guardar(self, fallo: KafkaError | None, posiciones: list[TopicPartition]) -> None:
        if self._en_vuelo is None:
            return
        lote, peticiones, _ = self._en_vuelo
        self._en_vuelo = None
        fallo = fallo or next((posicion.error for posicion in posiciones if posicion.error is not None), None)
        if fallo is None:
            self._reparto.guardado(lote)
            for futuro, _ in peticiones:
                _cumplir(futuro, None)
            return
        self._reparto.sin_guardar(lote)
        ahora = time.monotonic()
        self._proximo_guardado = ahora + _REINTENTO_S
        error = BrokerNoDisponible(f"Kafka no guardó las posiciones de {self._suscripcion!r}: {fallo.str()}")
        for futuro, limite in reversed(peticiones):
            if limite < ahora:
                _cumplir(futuro, error)
            else:
                self._peticiones.appendleft((futuro, limite))

    def _contestar(self, error: ErrorBroker | None) -> None:
        if self._en_vuelo is not None:
            self._peticiones.extend(self._en_vuelo[1])
            self._en_vuelo = None
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
        lote = self._reparto.por_guardar(particiones, final=final)
        if not lote:
            return None
        fallo = self._confirmar(lote)
        if fallo is None:
            self._reparto.guardado(lote)
        else:
            self._reparto.sin_guardar(lote)
        return fallo

    def _confirmar(self, lote: list[Guardado]) -> KafkaError | None:
        assert self._consumidor is not None  # noqa: S101 - sin él no hay particiones que guardar
        try:
            hechas = self._consumidor.commit(offsets=_posiciones(lote), asynchronous=False)
        except KafkaException as error:
            fallo: KafkaError = error.args[0]
            return fallo
        return next((posicion.error for posicion in hechas or () if posicion.error is not None), None)


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
