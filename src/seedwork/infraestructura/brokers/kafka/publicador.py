"""Publicar: un productor idempotente, y cada lote vuelve con el acuse de todos sus mensajes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence, Set
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from typing import Any, TypeAlias

from confluent_kafka import KafkaError, KafkaException, Producer

from seedwork.infraestructura.brokers import (
    BrokerCerrado,
    BrokerNoDisponible,
    ErrorBroker,
    Mensaje,
    MensajeNoPublicable,
)
from seedwork.infraestructura.brokers.kafka import cabeceras
from seedwork.infraestructura.brokers.kafka.cliente import PLAZO_S, TAMANO_MAXIMO, Cliente, TopicoImposible

_SONDEO_S = 0.005
_DESPEDIDA_S = 0.2
_TANDA = 500_000  # bytes que salen juntos: lo que lleven de una partición cabe en una petición
_MENSAJES = 9_000  # y cuántos mensajes
_SOBRECARGA = 64  # bytes que ocupa un mensaje además de los suyos
_SEGUIDOS = 20  # sin clave, a una misma partición antes de pasar a la siguiente
_POR_COMPROBAR = 900_000  # bytes que cualquier tópico admite mientras nadie haya bajado su límite
_Salida: TypeAlias = tuple[str, bytes | None, bytes | None, int, "list[cabeceras.Bruta] | None"]
_MAL_TOPICO = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)


@dataclass(frozen=True, slots=True)
class Envio:
    """Un mensaje como lo ve Kafka. `cuerpo` None es una lápida: borra lo que hubiera con esa clave al compactar."""

    topico: str
    clave: bytes | None
    cuerpo: bytes | None
    cabeceras: list[tuple[str, str | bytes | None]]


class Publicador:
    """El productor de un broker y su hilo, que saca los lotes por tandas y atiende los acuses.

    Un tópico no tiene en vuelo más de una tanda, y en ella cada partición, más de una petición. Si fueran dos, quien
    sirve la partición podría rechazar la primera y admitir la segunda: repetida aquélla, la daría por duplicada.
    """

    def __init__(self, cliente: Cliente) -> None:
        self._cliente = cliente
        self._productor: Producer | None = None
        self._nuevos: queue.SimpleQueue[_Lote | None] = queue.SimpleQueue()
        self._hilo: threading.Thread | None = None
        self._turnos: dict[str, int] = {}
        self._limites: dict[str, int] = {}

    async def publicar(self, mensajes: Sequence[Mensaje]) -> None:
        """Vuelve con el acuse del lote entero. Los mensajes ya están validados."""
        topicos = {mensaje.topico for mensaje in mensajes}
        await self._esperar(_Lote(topicos, lambda: self._salidas(mensajes, topicos)), mensajes)

    async def enviar(self, envios: Sequence[Envio], **topico: Any) -> None:
        """Como `publicar`, con lo que ya está en las palabras de Kafka; crea los tópicos según `topico`."""
        topicos = {envio.topico for envio in envios}

        def salidas() -> list[_Salida]:
            self._cliente.asegurar(topicos, **topico)
            return [(envio.topico, envio.cuerpo, envio.clave, -1, envio.cabeceras) for envio in envios]

        await self._esperar(_Lote(topicos, salidas), ())

    async def _esperar(self, lote: _Lote, mensajes: Sequence[Mensaje]) -> None:
        if self._hilo is None:
            self._hilo = threading.Thread(target=self._correr, name="kafka-publicar", daemon=True)
            self._hilo.start()
        self._nuevos.put(lote)
        try:
            async with asyncio.timeout(PLAZO_S + 1.5):
                fallo = await asyncio.wrap_future(lote.hecho)
        except TimeoutError:
            raise BrokerNoDisponible(f"Kafka no acusó el lote en {PLAZO_S} s") from None
        if fallo is not None:
            raise self._como_nuestro(*fallo, mensajes)

    # --- en su hilo -------------------------------------------------------------------------------------------------

    def _correr(self) -> None:
        lotes: list[_Lote] = []
        hasta_s = math.inf
        while (lotes or hasta_s == math.inf) and time.monotonic() < hasta_s:
            if hasta_s == math.inf and not self._recoger(lotes):
                hasta_s = time.monotonic() + 1
            self._sacar_tanda(lotes)
            lotes = [lote for lote in lotes if not lote.terminado]
        self._dejar_el_productor()
        for lote in lotes:
            lote.fallar(BrokerCerrado("El broker Kafka se cerró con el lote por publicar"))

    def _recoger(self, lotes: list[_Lote]) -> bool:
        """Añade los nuevos; sin nada entre manos, los espera. Falso si ya no habrá más."""
        with contextlib.suppress(queue.Empty):
            while (lote := self._nuevos.get(block=not lotes)) is not None:
                lotes.append(lote)
            return False
        return True

    def _sacar_tanda(self, lotes: Sequence[_Lote]) -> None:
        """Da al cliente lo que quepa de los lotes cuyos tópicos no tienen nada en vuelo, y que salga ya."""
        ocupados = set[str]().union(*(lote.topicos for lote in lotes if lote.en_vuelo))
        tanda = _Tanda()
        for lote in lotes:
            if lote.topicos.isdisjoint(ocupados):
                try:
                    self._producir(lote, tanda)
                except Exception as error:  # noqa: BLE001 - se lo lleva quien publica
                    lote.fallar(error)
        if self._productor is not None:
            self._productor.flush(_SONDEO_S)
        if any(lote.fatal for lote in lotes):  # ya no sirve; el próximo lote estrena otro
            self._dejar_el_productor()
            for lote in lotes:
                lote.soltar()

    def _dejar_el_productor(self) -> None:
        """Lo que tuviera en vuelo falla."""
        productor, self._productor = self._productor, None
        if productor is not None:
            productor.purge()
            productor.flush(_DESPEDIDA_S)

    def _producir(self, lote: _Lote, tanda: _Tanda) -> None:
        if tanda.llena or not lote.empezar():
            return
        produce, acuse, cabe, cuantos = self._abrir().produce, lote.acuse, tanda.cabe, 0
        try:
            for topico, cuerpo, clave, particion, propias in itertools.islice(lote.salidas, lote.producidos, None):
                if not cabe(cuerpo, clave, propias):
                    break
                produce(topico, cuerpo, clave, particion, acuse, headers=propias)
                cuantos += 1
        except KafkaException as error:
            lote.fatal = error.args[0].fatal()
            raise self._cliente.como_nuestro(error) from error
        finally:
            lote.producidos += cuantos
            lote.en_vuelo += cuantos

    def _salidas(self, mensajes: Sequence[Mensaje], topicos: Set[str]) -> list[_Salida]:
        self._abrir()
        try:
            self._cliente.asegurar(topicos)
        except TopicoImposible as error:
            culpable = next(mensaje for mensaje in mensajes if mensaje.topico == error.topico)
            raise MensajeNoPublicable(culpable, str(error)) from error
        for mensaje in mensajes:
            if len(mensaje.cuerpo) > _POR_COMPROBAR:
                self._exigir_que_quepa(mensaje)
        return [
            (
                m.topico,
                m.cuerpo,
                m.clave.encode() if m.clave is not None else None,
                -1 if m.clave is not None else self._particion(m.topico),
                cabeceras.a_kafka(m.cabeceras) if m.cabeceras else None,
            )
            for m in mensajes
        ]

    def _exigir_que_quepa(self, mensaje: Mensaje) -> None:
        limite = self._limites.get(mensaje.topico)
        if limite is None:
            limite = self._limites[mensaje.topico] = self._cliente.limite(mensaje.topico)
        if len(mensaje.cuerpo) + 1024 > limite:
            raise MensajeNoPublicable(
                mensaje, f"El mensaje mide {len(mensaje.cuerpo)} bytes y su tópico admite {limite} en Kafka"
            )

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
                            "acks": "all",
                            # Nada sale antes de pedirlo, y una tanda no llega a ninguno de estos límites.
                            "linger.ms": 5_000,
                            "batch.size": 1_000_000,
                            "batch.num.messages": 10_000,
                            "queue.buffering.max.messages": 100_000,
                            "queue.buffering.max.kbytes": 100_000,
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

    def _como_nuestro(self, error: KafkaError, rechazado: Any, mensajes: Sequence[Mensaje]) -> ErrorBroker:
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
            self._nuevos.put(None)
            await asyncio.to_thread(self._hilo.join, 2.0)


class _Tanda:
    """Lo que sale junto, y si cabe algo más."""

    __slots__ = ("bytes", "llena", "mensajes")

    def __init__(self) -> None:
        self.bytes = self.mensajes = 0
        self.llena = False

    def cabe(self, cuerpo: bytes | None, clave: bytes | None, propias: list[cabeceras.Bruta] | None) -> bool:
        """Lo cuenta, si cabe; en una tanda vacía cabe cualquiera."""
        self.bytes += _SOBRECARGA + len(cuerpo or b"") + len(clave or b"")
        self.mensajes += 1
        if propias:
            self.bytes += sum(len(nombre) + len(valor or b"") for nombre, valor in propias)
        if self.bytes > _TANDA or self.mensajes > _MENSAJES:
            self.llena = self.mensajes > 1
        return not self.llena


class _Lote:
    """Lo que alguien publica junto; `hecho` da None, o el primer fallo y lo que Kafka rechazó.

    `empezar` en adelante es cosa de un solo hilo.
    """

    __slots__ = ("_abrir", "_fallo", "en_vuelo", "fatal", "hecho", "producidos", "salidas", "topicos")

    def __init__(self, topicos: Set[str], abrir: Callable[[], list[_Salida]]) -> None:
        self.topicos = topicos
        self.hecho: Future[tuple[KafkaError, Any] | None] = Future()
        self.salidas: list[_Salida] = []
        self.producidos = self.en_vuelo = 0
        self.fatal = False  # el productor que lo llevaba ya no sirve
        self._abrir = abrir
        self._fallo: tuple[KafkaError, Any] | None = None

    @property
    def terminado(self) -> bool:
        return not self.en_vuelo and self.hecho.done()

    def empezar(self) -> bool:
        """Falso si quien lo pidió ya no espera o ya falló."""
        if not self.salidas and self.hecho.set_running_or_notify_cancel():
            self.salidas = self._abrir()
        return not self.hecho.done()

    def fallar(self, error: Exception) -> None:
        if not self.hecho.done():
            with contextlib.suppress(InvalidStateError):  # justo ahora dejó de esperarse
                self.hecho.set_exception(error)

    def soltar(self) -> None:
        """El productor que lo llevaba se fue, y de lo que tuviera en vuelo ya no se sabrá."""
        self.fatal = False
        if self.en_vuelo:
            self.en_vuelo = 0
            self.fallar(BrokerNoDisponible("Kafka no acusó el lote: su productor dejó de servir"))

    def acuse(self, error: KafkaError | None, mensaje: Any) -> None:
        if error is not None:
            self._fallo = self._fallo or (error, mensaje)
            self.fatal = self.fatal or error.fatal()
        self.en_vuelo -= 1
        if not self.en_vuelo and not self.hecho.done() and (self._fallo or self.producidos == len(self.salidas)):
            self.hecho.set_result(self._fallo)
