"""La lectura efímera: particiones asignadas a mano, sin grupo y sin guardar posiciones."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from seedwork.infraestructura.brokers import ErrorBroker, Mensaje
from seedwork.infraestructura.brokers.kafka import cabeceras, nombres
from seedwork.infraestructura.brokers.kafka.avisos import Aviso

if TYPE_CHECKING:
    from seedwork.infraestructura.brokers.kafka.broker import BrokerKafka

_log = structlog.get_logger(__name__)

_COLA_MAXIMO, _COLA_BYTES = 2_000, 16 * 1024 * 1024
_LOTE_BYTES = 4 * 1024 * 1024
_SONDEO_S = 0.1
_CIERRE_S = 3.0
_INICIO = -2


class LectorKafka:
    """Empieza en `posiciones`; los tópicos que aparezcan después, desde su principio."""

    def __init__(self, broker: BrokerKafka, coincide: Callable[[str], bool], posiciones: list[TopicPartition]) -> None:
        self._broker = broker
        self._coincide = coincide
        self._aviso = Aviso()
        self._nuevas = deque(posiciones)
        self._conocidas = {(p.topic, p.partition) for p in posiciones}
        self._cola: deque[tuple[Mensaje, int]] = deque()
        self._bytes = 0
        self._candado = threading.Lock()
        self._parando = threading.Event()
        self._hay_sitio = threading.Event()
        self._terminado = threading.Event()
        self._error: ErrorBroker | None = None
        threading.Thread(target=self._correr, name="kafka-lector", daemon=True).start()

    def interesa(self, topico: str) -> bool:
        return nombres.es_de_usuario(topico) and self._coincide(topico)

    def atender(self) -> None:
        """Se entera de los tópicos que hay ahora."""
        for topico, cuantas in dict(self._broker.cliente.topicos).items():  # otro hilo los cambia
            if self.interesa(topico):
                for n in range(cuantas):
                    if (topico, n) not in self._conocidas:
                        self._conocidas.add((topico, n))
                        self._nuevas.append(TopicPartition(topico, n, _INICIO))

    async def recibir(self, maximo: int) -> list[Mensaje]:
        while not (self._parando.is_set() or self._broker.cerrado):
            aviso = self._aviso.proximo()
            if mensajes := self._sacar(maximo):
                return mensajes
            if self._error is not None:
                raise self._error
            await aviso.wait()
        return []

    def _sacar(self, maximo: int) -> list[Mensaje]:
        lote: list[Mensaje] = []
        cabe = _LOTE_BYTES
        with self._candado:
            while self._cola and len(lote) < maximo and cabe > 0:
                mensaje, tamano = self._cola.popleft()
                self._bytes -= tamano
                cabe -= tamano
                lote.append(mensaje)
        self._hay_sitio.set()
        return lote

    async def cerrar(self) -> None:
        if self._parando.is_set():
            return
        self._parando.set()
        self._hay_sitio.set()
        self._broker.olvidar(self)
        limite = time.monotonic() + _CIERRE_S
        self._aviso.dar()
        while not self._terminado.is_set() and time.monotonic() < limite:
            aviso = self._aviso.proximo()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await aviso.wait()

    # --- el hilo ----------------------------------------------------------------------------------------------------

    def _correr(self) -> None:
        consumidor: Consumer | None = None
        try:
            consumidor = self._broker.cliente.consumidor("aeroalpes-bff")
            while not self._parando.is_set():
                self._vuelta(consumidor)
        except ErrorBroker as error:
            self._error = error
        except KafkaException as error:
            self._error = self._broker.cliente.como_nuestro(error)
        except Exception as error:  # noqa: BLE001 - un hilo no tiene a quién lanzarle: lo dirá `recibir`
            _log.exception("kafka.lector_roto")
            self._error = ErrorBroker(f"La lectura falló: {error!r}")
        finally:
            if consumidor is not None:
                consumidor.close()
            self._terminado.set()
            self._aviso.dar()

    def _vuelta(self, consumidor: Consumer) -> None:
        nuevas = [self._nuevas.popleft() for _ in range(len(self._nuevas))]
        if nuevas:
            consumidor.incremental_assign(nuevas)
        if len(self._cola) >= _COLA_MAXIMO or self._bytes >= _COLA_BYTES:
            self._hay_sitio.clear()
            self._hay_sitio.wait(_SONDEO_S)
            return
        brutos = consumidor.consume(1, _SONDEO_S)
        if not brutos:
            return
        brutos += consumidor.consume(500, 0)
        llegados = [self._a_mensaje(bruto) for bruto in brutos if bruto.error() is None]
        with self._candado:
            for mensaje in llegados:
                self._cola.append((mensaje, len(mensaje.cuerpo)))
                self._bytes += len(mensaje.cuerpo)
        self._aviso.dar()

    def _a_mensaje(self, bruto: Any) -> Mensaje:
        clave = bruto.key()
        return Mensaje(
            topico=bruto.topic(),
            cuerpo=bruto.value() or b"",
            clave=None if clave is None else cabeceras.texto(clave),
            cabeceras=cabeceras.de_kafka(bruto.headers() or []),
        )
