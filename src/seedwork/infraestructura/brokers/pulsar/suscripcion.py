"""Un consumidor dentro de una suscripción de Pulsar."""

from __future__ import annotations

import asyncio
import heapq
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import pulsar
import structlog

from seedwork.infraestructura.brokers import (
    BrokerCerrado,
    BrokerNoDisponible,
    Entrega,
    ErrorBroker,
    Mensaje,
    compilar_patrones,
)
from seedwork.infraestructura.brokers.pulsar.cliente import PLAZO_CIERRE_S, Cliente
from seedwork.infraestructura.brokers.pulsar.conversacion import EXPLORACION_S, Conversacion
from seedwork.infraestructura.brokers.pulsar.direccion import es_patron
from seedwork.infraestructura.brokers.pulsar.estado import Estado
from seedwork.infraestructura.brokers.pulsar.formato import a_pulsar, de_pulsar
from seedwork.infraestructura.brokers.pulsar.grifo import Grifo
from seedwork.infraestructura.brokers.pulsar.manos import Id

_log = structlog.get_logger(__name__)

_LIBRES_MAXIMO = 2_000  # lo traído que se puede dar ya, antes de dejar de traer: unas cuantas anotaciones
_TRAIDAS_MAXIMO = 10_000  # lo traído, contando lo de claves que el consumidor retiene
_BYTES_MAXIMO = 32 * 1024 * 1024
_LOTE_BYTES = 4 * 1024 * 1024
_COLA_DEL_CLIENTE = 200
_HECHAS_MAXIMO = 20_000  # confirmadas hace poco, por si Pulsar se cae sin haberlo asentado y las repite
_TICTAC_MS = 1_000  # con Key_Shared lo retrasado llega un tictac tarde: se pide uno antes y se guarda aquí
_ESPERA_S = 0.5
_MOTIVO_MAXIMO = 2_000


@dataclass(slots=True)
class _Tomada:
    """Un mensaje que Pulsar dio a este consumidor. `orden` es el de llegada."""

    orden: int
    id: Id
    consumidor: pulsar.Consumer
    recibido: pulsar.Message
    mensaje: Mensaje
    intentos: int
    vence_ms: int
    sospechosa: bool = False

    @property
    def bytes(self) -> int:
        return len(self.mensaje.cuerpo)


class SuscripcionPulsar:
    """Pulsar reparte por clave (Key_Shared); aquí se guarda lo que ya dio y nadie pidió aún.

    Devolver deja el mensaje en esta reserva: para Pulsar su clave sigue siendo de este consumidor hasta que se vaya.
    """

    def __init__(self, cliente: Cliente, conversacion: Conversacion, suscripcion: str) -> None:
        self._cliente = cliente
        self._conversacion = conversacion
        self._vistos: set[str] = set()
        self._nombre = suscripcion
        self._reintentos = cliente.direccion.interno(suscripcion, "reintentos")
        self._yo = uuid.uuid4().hex
        self._estado = Estado(cliente, cliente.direccion.interno(suscripcion, "estado"), self._yo)
        self._consumidores: list[pulsar.Consumer] = []
        self._grifos: list[Grifo] = []
        self._tareas: set[asyncio.Task[None]] = set()
        self._tengo: dict[Id, _Tomada] = {}
        self._hechas: dict[Id, None] = {}
        self._llegadas: list[_Tomada] = []
        self._reserva: list[tuple[int, _Tomada]] = []
        self._excepto: Collection[str] = ()
        self._orden = 0
        self._bytes = 0
        self._hay_llegadas = asyncio.Event()
        self._hay = asyncio.Event()
        self._cerrada = False

    async def abrir(self, topicos: Sequence[str], desde: str) -> None:
        try:
            await self._estado.abrir()
            self._tareas.add(asyncio.create_task(self._anotar()))
            await self._suscribir(topicos, desde)
        except BaseException:
            await asyncio.shield(self.cerrar())
            raise

    async def _suscribir(self, topicos: Sequence[str], desde: str) -> None:
        posicion = pulsar.InitialPosition.Latest if desde == "fin" else pulsar.InitialPosition.Earliest
        direccion = self._cliente.direccion
        await self._entrar([self._reintentos], pulsar.InitialPosition.Earliest)
        self._vistos = {topico for topico in topicos if not es_patron(topico)}
        if self._vistos:
            literales = [direccion.topico(topico) for topico in sorted(self._vistos)]
            await self._entrar(literales, posicion)
        if any(map(es_patron, topicos)):
            coincide = compilar_patrones(topicos)
            await self._explorar(coincide, posicion)
            self._tareas.add(asyncio.create_task(self._seguir_explorando(coincide)))

    async def _explorar(self, coincide: Callable[[str], bool], posicion: pulsar.InitialPosition) -> None:
        existentes = await self._conversacion.topicos()
        if nuevos := [topico for topico in existentes if topico not in self._vistos and coincide(topico)]:
            completos = [self._cliente.direccion.topico(topico) for topico in nuevos]
            await self._entrar(completos, posicion)
            self._vistos.update(nuevos)

    async def _seguir_explorando(self, coincide: Callable[[str], bool]) -> None:
        # El cliente también sabe descubrir tópicos por una expresión, pero tarda minutos.
        while True:
            await asyncio.sleep(EXPLORACION_S)
            try:
                await self._explorar(coincide, pulsar.InitialPosition.Earliest)
            except ErrorBroker as error:
                _log.warning("broker.sin_explorar", suscripcion=self._nombre, error=str(error))  # se repite enseguida

    async def _entrar(self, topicos: list[str], posicion: pulsar.InitialPosition) -> None:
        consumidor = await self._cliente.hacer(
            lambda cliente: _consumidor(cliente, self._nombre, self._yo, topicos, posicion), pulsar.Consumer.close
        )
        self._consumidores.append(consumidor)
        self._grifos.append(self._grifo(consumidor))

    def _grifo(self, consumidor: pulsar.Consumer) -> Grifo:
        return Grifo(consumidor.receive, lambda lote: self._llega(consumidor, lote), self._nombre)

    # --- tomar ------------------------------------------------------------------------------------------------------

    def _llega(self, consumidor: pulsar.Consumer, lote: list[pulsar.Message]) -> None:
        for recibido in lote:
            original = recibido.message_id()
            id = Id(recibido.topic_name(), original.ledger_id(), original.entry_id(), original.batch_index())
            if id in self._tengo:
                continue  # tras reconectar, Pulsar repite lo que ya tenemos
            if id in self._hechas:  # y también lo que se confirmó mientras no estaba
                consumidor.acknowledge(recibido)
                continue
            mensaje, propias = de_pulsar(recibido, self._cliente.direccion)
            self._orden += 1
            tomada = _Tomada(
                self._orden, id, consumidor, recibido, mensaje, _entero(propias, "intentos"), _entero(propias, "vence")
            )
            self._tengo[id] = tomada
            self._bytes += tomada.bytes
            self._llegadas.append(tomada)
        self._hay_llegadas.set()
        self._regular()

    async def _anotar(self) -> None:
        """Nada se da sin que conste quién lo tiene: si este proceso muere, se sabrá con qué en las manos."""
        while True:
            await self._hay_llegadas.wait()
            self._hay_llegadas.clear()
            lote, self._llegadas = self._llegadas, []
            while True:
                try:
                    await self._estado.tomar(list(self._tengo))
                    break
                except BrokerCerrado:
                    return
                except ErrorBroker as error:
                    _log.warning("broker.sin_anotar", suscripcion=self._nombre, error=str(error))
                    await asyncio.sleep(_ESPERA_S)
            for tomada in lote:
                contados = self._estado.intentos(tomada.id)
                tomada.intentos = tomada.intentos if contados is None else contados
                tomada.sospechosa = self._estado.de_un_muerto(tomada.id)
                self._reservar(tomada)

    def _reservar(self, tomada: _Tomada) -> None:
        if self._tengo.get(tomada.id) is not tomada:
            return
        # Pulsar puede dar lo retrasado hasta un tictac antes.
        antes_s = tomada.vence_ms / 1000 - time.time() if tomada.vence_ms else 0
        if antes_s > 0:
            asyncio.get_running_loop().call_later(antes_s, self._reservar, tomada)
            return
        heapq.heappush(self._reserva, (tomada.orden, tomada))
        self._hay.set()

    async def recibir(self, maximo: int, excepto: Collection[str] = ()) -> list[Entrega]:
        while not (self._cerrada or self._cliente.cerrado):
            self._hay.clear()
            self._excepto = excepto
            tomadas = self._sacar(maximo, excepto)
            self._regular()
            if tomadas:
                return [Entrega(t.mensaje, t.intentos, t.sospechosa, t) for t in tomadas]
            await self._hay.wait()
        return []

    def _sacar(self, maximo: int, excepto: Collection[str]) -> list[_Tomada]:
        tomadas: list[_Tomada] = []
        apartadas: list[tuple[int, _Tomada]] = []
        ocupados = 0
        while self._reserva and len(tomadas) < maximo and ocupados < _LOTE_BYTES:
            orden, tomada = heapq.heappop(self._reserva)
            if tomada.mensaje.clave is not None and tomada.mensaje.clave in excepto:
                apartadas.append((orden, tomada))
            else:
                tomadas.append(tomada)
                ocupados += tomada.bytes
        for apartada in apartadas:
            heapq.heappush(self._reserva, apartada)
        return tomadas

    def _regular(self) -> None:
        """Trae más o deja de traer: la memoria no crece con lo que haya pendiente."""
        traidas = len(self._llegadas) + len(self._reserva)
        libres = traidas
        if self._excepto and traidas >= _LIBRES_MAXIMO:
            libres -= sum(tomada.mensaje.clave in self._excepto for _, tomada in self._reserva)
        caben = libres < _LIBRES_MAXIMO and traidas < _TRAIDAS_MAXIMO and self._bytes < _BYTES_MAXIMO
        for grifo in self._grifos:
            grifo.abrir() if caben else grifo.cortar()

    # --- responder --------------------------------------------------------------------------------------------------

    async def confirmar(self, entregas: Sequence[Entrega]) -> None:
        self._comprobar_abierto()
        mias = self._mias(entregas)
        await self._estado.olvidar(tomada.id for tomada in mias)
        self._confirmar(mias)

    async def iniciar(self, entrega: Entrega) -> int:
        self._comprobar_abierto()
        for tomada in self._mias([entrega]):
            contados = self._estado.intentos(tomada.id)
            intentos = (tomada.intentos if contados is None else contados) + 1
            await self._estado.contar(tomada.id, intentos)
            return intentos
        return entrega.intentos + 1

    async def reintentar(self, entrega: Entrega, espera_s: float) -> None:
        self._comprobar_abierto()
        mias = self._mias([entrega])
        if mias:
            vence_ms = int((time.time() + espera_s) * 1000)
            sobre = a_pulsar(entrega.mensaje, intentos=str(entrega.intentos + 1), vence=str(vence_ms))
            if espera_s * 1000 > _TICTAC_MS:
                sobre = sobre.a_las(vence_ms - _TICTAC_MS)
            await self._cliente.enviar(self._reintentos, [(sobre, entrega.mensaje)])
            await self._estado.olvidar([mias[0].id])
            self._confirmar(mias)

    async def desechar(self, entrega: Entrega, motivo: str) -> None:
        """Si el proceso muere entre apartarla y confirmarla, la letra muerta se repite con el mismo origen."""
        self._comprobar_abierto()
        mias = self._mias([entrega])
        if mias:
            sobre = a_pulsar(
                entrega.mensaje,
                suscripcion=self._nombre,
                motivo=motivo[:_MOTIVO_MAXIMO],
                intentos=str(entrega.intentos),
                fecha=str(int(time.time() * 1000)),
                origen=mias[0].id.texto,
            )
            await self._cliente.enviar(self._cliente.direccion.letras_muertas, [(sobre, entrega.mensaje)])
            await self._estado.olvidar([mias[0].id])
            self._confirmar(mias)

    async def devolver(self, entregas: Sequence[Entrega]) -> None:
        self._comprobar_abierto()
        for entrega in entregas:
            for tomada in self._mias([entrega]):
                if (self._estado.intentos(tomada.id) or 0) != entrega.intentos:
                    await self._estado.contar(tomada.id, entrega.intentos)
                tomada.intentos = entrega.intentos
        for tomada in self._mias(entregas):
            self._reservar(tomada)

    def _mias(self, entregas: Iterable[Entrega]) -> list[_Tomada]:
        """Las que siguen en manos de este consumidor: de las demás responde otro."""
        referencias: list[_Tomada] = [entrega.referencia for entrega in entregas]
        return [] if self._cerrada else [t for t in referencias if self._tengo.get(t.id) is t]

    def _confirmar(self, tomadas: Iterable[_Tomada]) -> None:
        # El cliente junta las confirmaciones y las manda por su cuenta: no espera a nadie.
        for tomada in tomadas:
            if self._tengo.pop(tomada.id, None) is not None:
                self._bytes -= tomada.bytes
                self._hechas[tomada.id] = None
                if len(self._hechas) > _HECHAS_MAXIMO:
                    del self._hechas[next(iter(self._hechas))]
                try:
                    tomada.consumidor.acknowledge(tomada.recibido)
                except pulsar.PulsarException as error:
                    raise self._cliente.traducido(error) from error
        self._regular()

    def _comprobar_abierto(self) -> None:
        if self._cliente.cerrado:
            raise BrokerCerrado(f"El broker {self._cliente.direccion.servicio} está cerrado")

    # --- cerrar -----------------------------------------------------------------------------------------------------

    async def cerrar(self) -> None:
        if self._cerrada:
            return
        self._cerrada = True
        self._hay.set()
        for tarea in self._tareas:
            tarea.cancel()
        await asyncio.gather(*self._tareas, *(grifo.cerrar() for grifo in self._grifos), return_exceptions=True)
        # Primero la despedida: quien reciba lo nuestro debe saber que no morimos con ello.
        try:
            async with asyncio.timeout(PLAZO_CIERRE_S):
                await self._estado.cerrar()
        except (TimeoutError, BrokerNoDisponible, BrokerCerrado):
            _log.warning("broker.despedida_perdida", suscripcion=self._nombre)
        await asyncio.gather(*(self._salir(consumidor) for consumidor in self._consumidores))
        self._tengo.clear()
        self._llegadas.clear()
        self._reserva.clear()

    async def _salir(self, consumidor: pulsar.Consumer) -> None:
        try:
            async with asyncio.timeout(PLAZO_CIERRE_S):
                await self._cliente.hacer(lambda _: consumidor.close())
        except (TimeoutError, ErrorBroker) as error:
            # Al cerrarse la conexión, Pulsar da lo nuestro a otros.
            _log.warning("broker.salida_perdida", suscripcion=self._nombre, error=str(error))


def _consumidor(
    cliente: pulsar.Client,
    suscripcion: str,
    yo: str,
    topicos: list[str],
    posicion: pulsar.InitialPosition,
) -> pulsar.Consumer:
    return cliente.subscribe(
        topicos[0] if len(topicos) == 1 else topicos,
        suscripcion,
        consumer_type=pulsar.ConsumerType.KeyShared,
        # Pulsar reparte las claves por este nombre: con el mismo, una clave cae en el mismo consumidor en todo tópico.
        consumer_name=yo,
        initial_position=posicion,
        receiver_queue_size=_COLA_DEL_CLIENTE,
        max_total_receiver_queue_size_across_partitions=5 * _COLA_DEL_CLIENTE,
        batch_index_ack_enabled=True,
    )


def _entero(propias: dict[str, str], nombre: str) -> int:
    texto = propias.get(nombre, "")
    return int(texto) if texto.isdecimal() and len(texto) < 20 else 0
