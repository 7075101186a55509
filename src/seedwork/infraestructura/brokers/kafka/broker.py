"""El broker Kafka: publica, abre suscripciones y lecturas, y vigila los tópicos que aparecen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
from confluent_kafka import TopicPartition

from seedwork.infraestructura.brokers import (
    BrokerCerrado,
    BrokerNoDisponible,
    ErrorBroker,
    Mensaje,
    compilar_patrones,
    validar,
)
from seedwork.infraestructura.brokers.kafka import nombres
from seedwork.infraestructura.brokers.kafka.cliente import PLAZO_S, TAMANO_MAXIMO, Cliente
from seedwork.infraestructura.brokers.kafka.configuracion import Configuracion
from seedwork.infraestructura.brokers.kafka.lector import LectorKafka
from seedwork.infraestructura.brokers.kafka.letras import LetrasMuertasKafka
from seedwork.infraestructura.brokers.kafka.publicador import Publicador
from seedwork.infraestructura.brokers.kafka.reparto import ahora_ms
from seedwork.infraestructura.brokers.kafka.suscripcion import SuscripcionKafka

T = TypeVar("T")
_log = structlog.get_logger(__name__)

_VIGILANCIA_S = 0.5  # cada cuánto se miran los tópicos que hay


class BrokerKafka:
    """Un `Broker` sobre Kafka. No conecta hasta que se usa.

    Cada suscripción es un grupo de consumidores; Kafka olvida sus posiciones si pasa sin consumidores lo que diga
    `offsets.retention.minutes` (siete días por defecto), y entonces empieza de nuevo por lo más viejo.
    """

    def __init__(self, configuracion: Configuracion) -> None:
        self.cliente = Cliente(configuracion)
        self.publicador = Publicador(self.cliente)
        self._hilos = ThreadPoolExecutor(16, thread_name_prefix="kafka")
        self._abiertas: set[SuscripcionKafka | LectorKafka] = set()
        self._vigia: asyncio.Task[None] | None = None
        self._anunciados: dict[str, int] = {}
        self._validos: set[str] = set()  # tópicos en los que ya se publicó
        self.cerrado = False
        self.letras_muertas = LetrasMuertasKafka(self)

    async def publicar(self, mensajes: Sequence[Mensaje]) -> None:
        self.exigir_abierto()
        if mensajes:
            self._validar(mensajes)
            conocidos = len(self.cliente.topicos)
            await self.publicador.publicar(mensajes)
            if len(self.cliente.topicos) != conocidos:
                self._anunciar()

    def _validar(self, mensajes: Sequence[Mensaje]) -> None:
        """Todos a la vez; sólo si algo no está claro se mira uno por uno."""
        textos = [mensaje.clave for mensaje in mensajes if mensaje.clave is not None]
        for propias in [mensaje.cabeceras for mensaje in mensajes if mensaje.cabeceras]:
            textos += propias
            textos += propias.values()
        topicos = {mensaje.topico for mensaje in mensajes}
        try:
            tamano = len("".join(textos).encode()) + max(len(mensaje.cuerpo) for mensaje in mensajes)
        except UnicodeEncodeError:
            tamano = TAMANO_MAXIMO + 1
        if tamano > TAMANO_MAXIMO or not topicos <= self._validos:
            for mensaje in mensajes:
                validar(mensaje, TAMANO_MAXIMO)
            self._validos |= topicos

    async def suscribir(self, suscripcion: str, topicos: Sequence[str], *, desde: str = "inicio") -> SuscripcionKafka:
        self.exigir_abierto()
        coincide = compilar_patrones(topicos)
        literales = [topico for topico in topicos if "*" not in topico and "#" not in topico]
        await self.en_hilo(lambda: self._crear(suscripcion, literales, coincide, desde))
        nueva = SuscripcionKafka(self, suscripcion, coincide)
        self._vigilar(nueva)
        try:
            await nueva.entrar()
        except BaseException:
            await nueva.cerrar()
            raise
        return nueva

    def _crear(self, suscripcion: str, literales: Sequence[str], coincide: Callable[[str], bool], desde: str) -> None:
        cliente, propio = self.cliente, nombres.de_reintentos(suscripcion)
        existia = propio in cliente.listar()
        cliente.asegurar(literales)
        suyos = [n for t, n in cliente.topicos.items() if nombres.es_de_usuario(t) and coincide(t)]
        cliente.asegurar([propio], particiones=max([cliente.particiones, *suyos]))
        # Lo primero que guarda una suscripción es la posición en su tópico de reintentos: dice que ya existe.
        if (existia and desde != "fin") or cliente.confirmada(suscripcion, TopicPartition(propio, 0)):
            return
        posiciones = [TopicPartition(propio, n, 0) for n in range(cliente.topicos[propio])]
        if desde == "fin":
            atendidos = {t: n for t, n in cliente.topicos.items() if nombres.es_de_usuario(t) and coincide(t)}
            posiciones += cliente.desde(atendidos, None)
        cliente.fijar(suscripcion, posiciones)

    async def leer(self, topicos: Sequence[str], *, desde_hace_s: float = 0) -> LectorKafka:
        self.exigir_abierto()
        coincide = compilar_patrones(topicos)
        fecha_ms = ahora_ms() - int(desde_hace_s * 1000) if desde_hace_s else None
        posiciones = await self.en_hilo(lambda: self._posiciones(coincide, fecha_ms))
        lector = LectorKafka(self, coincide, posiciones)
        self._vigilar(lector)
        return lector

    def _posiciones(self, coincide: Callable[[str], bool], fecha_ms: int | None) -> list[TopicPartition]:
        hay = self.cliente.listar()
        return self.cliente.desde({t: n for t, n in hay.items() if nombres.es_de_usuario(t) and coincide(t)}, fecha_ms)

    async def comprobar(self) -> None:
        self.exigir_abierto()
        await self.en_hilo(self.cliente.listar)

    async def cerrar(self) -> None:
        if self.cerrado:
            return
        self.cerrado = True
        if self._vigia is not None:
            self._vigia.cancel()
            await asyncio.gather(self._vigia, return_exceptions=True)
        await asyncio.gather(*(abierta.cerrar() for abierta in list(self._abiertas)))
        await self.publicador.cerrar()
        self._hilos.shutdown(wait=False)

    def exigir_abierto(self) -> None:
        if self.cerrado:
            raise BrokerCerrado("El broker Kafka está cerrado")

    async def en_hilo(self, funcion: Callable[[], T]) -> T:
        """Corre `funcion` en un hilo, con un plazo."""
        trabajo = asyncio.get_running_loop().run_in_executor(self._hilos, funcion)
        trabajo.add_done_callback(_recoger)
        try:
            async with asyncio.timeout(PLAZO_S + 2):
                return await asyncio.shield(trabajo)
        except TimeoutError:
            raise BrokerNoDisponible(f"Kafka no contestó en {PLAZO_S + 2} s") from None

    def olvidar(self, abierta: SuscripcionKafka | LectorKafka) -> None:
        self._abiertas.discard(abierta)

    # --- tópicos que aparecen ---------------------------------------------------------------------------------------

    def _vigilar(self, abierta: SuscripcionKafka | LectorKafka) -> None:
        self._abiertas.add(abierta)
        abierta.atender()
        if self._vigia is None:
            self._vigia = asyncio.create_task(self._mirar_topicos())

    async def _mirar_topicos(self) -> None:
        while True:
            await asyncio.sleep(_VIGILANCIA_S)
            if self._abiertas:
                try:
                    ahora = await self.en_hilo(self.cliente.listar)
                except ErrorBroker as error:
                    _log.warning("kafka.sin_topicos", error=str(error))  # se vuelve a mirar en la próxima vuelta
                else:
                    if ahora != self._anunciados:
                        self._anunciar()

    def _anunciar(self) -> None:
        self._anunciados = dict(self.cliente.topicos)
        for abierta in list(self._abiertas):
            abierta.atender()


def _recoger(trabajo: asyncio.Future[T]) -> None:
    if not trabajo.cancelled():
        trabajo.exception()
