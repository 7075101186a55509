"""Publicar: un productor idempotente, y cada lote vuelve con el acuse de todos sus mensajes."""

from __future__ import annotations

import asyncio
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from seedwork.infraestructura.brokers import BrokerNoDisponible, ErrorBroker, Mensaje, MensajeNoPublicable
from seedwork.infraestructura.brokers.kafka import cabeceras
from seedwork.infraestructura.brokers.kafka.cliente import PLAZO_S, TAMANO_MAXIMO, Cliente, TopicoImposible

_SONDEO_S = 0.005
_SEGUIDOS = 20  # sin clave, a una misma partición antes de pasar a la siguiente
_POR_COMPROBAR = 900_000  # bytes que cualquier tópico admite mientras nadie haya bajado su límite
_MAL_TOPICO = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)


@dataclass(frozen=True, slots=True)
class Envio:
    """Un mensaje como lo ve Kafka. `cuerpo` None es una lápida: borra lo que hubiera con esa clave al compactar."""

    topico: str
    clave: bytes | None
    cuerpo: bytes | None
    cabeceras: list[tuple[str, str | bytes | None]]


class Publicador:
    """El productor de un broker y su hilo, que encola los lotes en orden y atiende los acuses."""

    def __init__(self, cliente: Cliente) -> None:
        self._cliente = cliente
        self._productor: Producer | None = None
        self._trabajos: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._hilo: threading.Thread | None = None
        self._turnos: dict[str, int] = {}
        self._limites: dict[str, int] = {}

    async def publicar(self, mensajes: Sequence[Mensaje]) -> None:
        """Vuelve con el acuse del lote entero. Los mensajes ya están validados."""
        await self._esperar(lambda lote: self._encolar_mensajes(mensajes, lote), mensajes)

    async def enviar(self, envios: Sequence[Envio], **topico: Any) -> None:
        """Como `publicar`, con lo que ya está en las palabras de Kafka; crea los tópicos según `topico`."""
        await self._esperar(lambda lote: self._encolar(envios, lote, topico), ())

    async def _esperar(self, encolar: Callable[[_Lote], None], mensajes: Sequence[Mensaje]) -> None:
        lote = _Lote()
        self._pedir(lambda: lote.intentar(encolar))
        try:
            async with asyncio.timeout(PLAZO_S + 1.5):
                fallo = await asyncio.wrap_future(lote.hecho)
        except TimeoutError:
            raise BrokerNoDisponible(f"Kafka no acusó el lote en {PLAZO_S} s") from None
        if fallo is not None:
            raise self._como_nuestro(*fallo, mensajes)

    def _pedir(self, trabajo: Callable[[], None]) -> None:
        if self._hilo is None:
            self._hilo = threading.Thread(target=self._correr, name="kafka-publicar", daemon=True)
            self._hilo.start()
        self._trabajos.put(trabajo)

    def _correr(self) -> None:
        while True:
            en_vuelo = self._productor is not None and len(self._productor) > 0
            try:
                trabajo = self._trabajos.get(block=not en_vuelo)
            except queue.Empty:
                if self._productor is not None:
                    self._productor.flush(_SONDEO_S)  # no hay nada más que juntar: que salga ya
                continue
            if trabajo is None:
                break
            trabajo()
        if self._productor is not None:
            self._vaciar(self._productor)

    def _encolar_mensajes(self, mensajes: Sequence[Mensaje], lote: _Lote) -> None:
        topicos = {mensaje.topico for mensaje in mensajes}
        self._abrir()
        try:
            self._cliente.asegurar(topicos)
        except TopicoImposible as error:
            culpable = next(mensaje for mensaje in mensajes if mensaje.topico == error.topico)
            raise MensajeNoPublicable(culpable, str(error)) from error
        for mensaje in mensajes:
            if len(mensaje.cuerpo) > _POR_COMPROBAR:
                self._exigir_que_quepa(mensaje)
        salidas = (
            (
                m.topico,
                m.cuerpo,
                m.clave,
                -1 if m.clave is not None else self._particion(m.topico),
                cabeceras.a_kafka(m.cabeceras) if m.cabeceras else None,
            )
            for m in mensajes
        )
        self._producir(salidas, lote, len(mensajes))

    def _exigir_que_quepa(self, mensaje: Mensaje) -> None:
        limite = self._limites.get(mensaje.topico)
        if limite is None:
            limite = self._limites[mensaje.topico] = self._cliente.limite(mensaje.topico)
        if len(mensaje.cuerpo) + 1024 > limite:
            raise MensajeNoPublicable(
                mensaje, f"El mensaje mide {len(mensaje.cuerpo)} bytes y su tópico admite {limite} en Kafka"
            )

    def _encolar(self, envios: Sequence[Envio], lote: _Lote, topico: dict[str, Any]) -> None:
        self._cliente.asegurar({envio.topico for envio in envios}, **topico)
        self._producir(((e.topico, e.cuerpo, e.clave, -1, e.cabeceras) for e in envios), lote, len(envios))

    def _producir(self, salidas: Iterable[tuple[str, Any, Any, int, Any]], lote: _Lote, cuantas: int) -> None:
        productor = self._abrir()
        lote.faltan = cuantas
        limite = time.monotonic() + PLAZO_S
        for topico, cuerpo, clave, particion, propias in salidas:
            while True:
                try:
                    productor.produce(topico, cuerpo, clave, particion, lote.acuse, headers=propias)
                    break
                except BufferError as error:
                    if time.monotonic() > limite:
                        raise BrokerNoDisponible("Kafka no acusa y la cola de salida está llena") from error
                    productor.poll(_SONDEO_S)
                except KafkaException as error:
                    self._si_es_fatal(error.args[0])
                    raise self._cliente.como_nuestro(error) from error

    def _particion(self, topico: str) -> int:
        """Seguidos a una misma: lo poco que se publica junto y sin claves llega también en su orden."""
        turno = self._turnos.get(topico)
        if turno is None:
            turno = random.randrange(1 << 16) * _SEGUIDOS  # noqa: S311 - que no empiecen todos por la misma
        self._turnos[topico] = turno + 1
        return turno // _SEGUIDOS % self._cliente.topicos.get(topico, 1)

    def _abrir(self) -> Producer:
        if self._productor is None:
            with self._cliente.traducir():
                self._productor = Producer(
                    self._cliente.opciones(
                        **{
                            "enable.idempotence": True,
                            # Con varias, lo primero de un tópico recién creado puede darse por publicado sin estarlo.
                            "max.in.flight.requests.per.connection": 1,
                            "acks": "all",
                            "linger.ms": 5,
                            "partitioner": "murmur2_random",  # el de los clientes de Java
                            "message.timeout.ms": int(PLAZO_S * 1000),
                            "message.max.bytes": TAMANO_MAXIMO + 2 * 1024 * 1024,
                        }
                    )
                )
            # Espera a la conexión: un productor idempotente que la busca sin ella tarda medio segundo en repetir.
            with self._cliente.traducir():
                self._productor.list_topics(timeout=PLAZO_S)
        return self._productor

    def _si_es_fatal(self, error: KafkaError) -> None:
        if error.fatal():
            self._productor = None  # ya no sirve; el próximo lote estrena otro

    def _como_nuestro(self, error: KafkaError, rechazado: Any, mensajes: Sequence[Mensaje]) -> ErrorBroker:
        self._si_es_fatal(error)
        if error.code() in _MAL_TOPICO:
            self._cliente.olvidar(rechazado.topic())
        if error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.TOPIC_EXCEPTION):
            for mensaje in mensajes:
                if mensaje.topico == rechazado.topic() and mensaje.cuerpo == (rechazado.value() or b""):
                    return MensajeNoPublicable(mensaje, f"Kafka no lo admite: {error.str()}")
        return self._cliente.como_nuestro(error)

    async def cerrar(self) -> None:
        """Espera poco a lo que falte por acusar: quien lo publicó ya no espera."""
        if self._hilo is not None:
            self._trabajos.put(None)
            await asyncio.to_thread(self._hilo.join, 2.0)

    def _vaciar(self, productor: Producer) -> None:
        productor.flush(1)
        productor.purge()
        productor.flush(0.2)


class _Lote:
    """Los acuses que faltan; `hecho` da None, o el primer fallo y lo que Kafka rechazó. Sólo lo toca un hilo."""

    def __init__(self) -> None:
        self.faltan = 0
        self.hecho: Future[tuple[KafkaError, Any] | None] = Future()
        self._fallo: tuple[KafkaError, Any] | None = None

    def intentar(self, encolar: Callable[[_Lote], None]) -> None:
        if not self.hecho.set_running_or_notify_cancel():
            return  # quien lo pidió ya no espera
        try:
            encolar(self)
        except Exception as error:  # noqa: BLE001 - se lo lleva quien publica
            self.hecho.set_exception(error)

    def acuse(self, error: KafkaError | None, mensaje: Any) -> None:
        if error is not None:
            self._fallo = self._fallo or (error, mensaje)
        self.faltan -= 1
        if self.faltan == 0 and not self.hecho.done():
            self.hecho.set_result(self._fallo)
