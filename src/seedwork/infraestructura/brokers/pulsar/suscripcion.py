"""Un consumidor dentro de una suscripción de Pulsar."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial

import pulsar
import structlog

from seedwork.infraestructura.brokers import (
    BrokerCerrado,
    Entrega,
    ErrorBroker,
    compilar_patrones,
)
from seedwork.infraestructura.brokers.pulsar.cliente import PLAZO_CIERRE_S, Cliente
from seedwork.infraestructura.brokers.pulsar.conversacion import EXPLORACION_S, Conversacion
from seedwork.infraestructura.brokers.pulsar.direccion import es_patron
from seedwork.infraestructura.brokers.pulsar.estado import Estado
from seedwork.infraestructura.brokers.pulsar.formato import a_pulsar, de_pulsar
from seedwork.infraestructura.brokers.pulsar.grifo import Grifo
from seedwork.infraestructura.brokers.pulsar.manos import Id
from seedwork.infraestructura.brokers.pulsar.reserva import Reserva, Tomada

_log = structlog.get_logger(__name__)

_LIBRES_MAXIMO = 2_000  # lo traído que se puede dar ya, antes de dejar de traer: unas cuantas anotaciones
_TRAIDAS_MAXIMO = 10_000  # lo traído, contando lo de claves que el consumidor retiene
_BYTES_MAXIMO = 32 * 1024 * 1024
_COLA_DEL_CLIENTE = 200
_ASIENTO_S = 0.1  # al irse un consumidor, lo que Pulsar puede tardar en dar lo anterior tras haber dado lo posterior
_TICTAC_MS = 1_000  # con Key_Shared lo retrasado llega un tictac tarde: se pide uno antes y se guarda aquí
_ESPERA_S = 0.5
_MOTIVO_MAXIMO = 2_000


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
        self._reserva = Reserva()
        self._llegadas: list[Tomada] = []
        self._excepto: Collection[str] = ()
        self._hay_llegadas = asyncio.Event()
        self._hay = asyncio.Event()
        self._cerrada = False

    async def abrir(self, topicos: Sequence[str], desde: str) -> None:
        try:
            await self._estado.abrir()
            self._tareas.add(asyncio.create_task(self._repartir()))
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
        await self._asentarse()  # lo que Pulsar leía para el último que se fue lo daría a quien llegue
        consumidor = await self._cliente.hacer(
            lambda cliente: _consumidor(cliente, self._nombre, self._yo, topicos, posicion), pulsar.Consumer.close
        )
        self._consumidores.append(consumidor)
        self._grifos.append(self._grifo(consumidor))

    def _grifo(self, consumidor: pulsar.Consumer) -> Grifo:
        return Grifo(consumidor.receive, lambda lote: self._llega(consumidor, lote), self._nombre)

    # --- tomar ------------------------------------------------------------------------------------------------------

    def _llega(self, consumidor: pulsar.Consumer, lote: list[pulsar.Message]) -> None:
        nuevas: dict[Id, Tomada] = {}
        for recibido in lote:
            original = recibido.message_id()
            id = Id(recibido.topic_name(), original.ledger_id(), original.entry_id(), original.batch_index())
            if id in self._reserva.tengo or id in nuevas:
                continue  # Pulsar repite lo que ya tenemos tras reconectar, o si lo leía cuando entramos
            if self._reserva.hecha(id):  # y también lo que se confirmó mientras no estaba
                consumidor.acknowledge(recibido)
                continue
            mensaje, propias = de_pulsar(recibido, self._cliente.direccion)
            nuevas[id] = Tomada(
                id, consumidor, recibido, mensaje, _entero(propias, "intentos"), _entero(propias, "vence")
            )
        self._reserva.tomar(nuevas.values())
        self._llegadas += nuevas.values()
        self._hay_llegadas.set()
        self._regular()

    async def _asentarse(self) -> bool:
        """Si alguien acaba de irse, espera a que Pulsar acabe de repartir lo que tenía; dice si hizo falta."""
        falta_s = self._estado.ultima_salida + _ASIENTO_S - time.monotonic()
        if falta_s > 0:
            await asyncio.sleep(falta_s)
        return falta_s > 0

    async def _repartir(self) -> None:
        """Nada se da sin que conste quién lo tiene: si este proceso muere, se sabrá con qué en las manos."""
        with suppress(BrokerCerrado):
            while True:
                await self._hay_llegadas.wait()
                cuantas = await self._anotar()
                # Lo que otros anotaron antes ya se leyó: si lo recién llegado era de quien se despidió, ya se sabe.
                if await self._asentarse() and len(self._llegadas) > cuantas:
                    cuantas = await self._anotar()
                lote, self._llegadas = self._llegadas[:cuantas], self._llegadas[cuantas:]
                for tomada in lote:
                    contados = self._estado.intentos(tomada.id)
                    tomada.intentos = tomada.intentos if contados is None else contados
                    tomada.sospechosa = self._estado.de_un_muerto(tomada.id)
                    self._poner(tomada)

    async def _anotar(self) -> int:
        """Anota todo lo que se tiene; dice cuántas llegadas incluye."""
        while True:
            self._hay_llegadas.clear()
            cuantas = len(self._llegadas)
            try:
                await self._estado.tomar(list(self._reserva.tengo))
            except BrokerCerrado:
                raise
            except ErrorBroker as error:
                _log.warning("broker.sin_anotar", suscripcion=self._nombre, error=str(error))
                await asyncio.sleep(_ESPERA_S)
            else:
                return cuantas

    def _poner(self, tomada: Tomada) -> None:
        if not self._reserva.tiene(tomada):
            return
        # Pulsar puede dar lo retrasado hasta un tictac antes.
        antes_s = tomada.vence_ms / 1000 - time.time() if tomada.vence_ms else 0
        if antes_s > 0:
            asyncio.get_running_loop().call_later(antes_s, self._poner, tomada)
            return
        self._reserva.poner(tomada)
        self._hay.set()

    async def recibir(self, maximo: int, excepto: Collection[str] = ()) -> list[Entrega]:
        while not (self._cerrada or self._cliente.cerrado):
            self._hay.clear()
            self._excepto = excepto
            tomadas = self._reserva.sacar(maximo, excepto)
            self._regular()
            if tomadas:
                return [Entrega(t.mensaje, t.intentos, t.sospechosa, t) for t in tomadas]
            await self._hay.wait()
        return []

    def _regular(self) -> None:
        """Trae más o deja de traer: la memoria no crece con lo que haya pendiente."""
        libres = traidas = len(self._llegadas) + self._reserva.por_dar()
        if self._excepto and traidas >= _LIBRES_MAXIMO:
            libres = len(self._llegadas) + self._reserva.por_dar(self._excepto)
        caben = libres < _LIBRES_MAXIMO and traidas < _TRAIDAS_MAXIMO and self._reserva.bytes < _BYTES_MAXIMO
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
            self._poner(tomada)

    def _mias(self, entregas: Iterable[Entrega]) -> list[Tomada]:
        """Las que siguen en manos de este consumidor: de las demás responde otro."""
        referencias: list[Tomada] = [entrega.referencia for entrega in entregas]
        return [] if self._cerrada else [t for t in referencias if self._reserva.tiene(t)]

    def _confirmar(self, tomadas: Iterable[Tomada]) -> None:
        # El cliente junta las confirmaciones y las manda por su cuenta: no espera a nadie.
        for tomada in tomadas:
            if self._reserva.soltar(tomada):
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
        limite = asyncio.get_running_loop().time() + PLAZO_CIERRE_S
        # Primero la despedida: quien reciba lo nuestro debe saber que no morimos con ello.
        for paso in (self._estado.despedirse, self._salir, self._estado.cerrar):
            try:
                async with asyncio.timeout_at(limite):
                    await paso()
            except (TimeoutError, ErrorBroker) as error:
                # Si no hubo tiempo, al cerrarse la conexión Pulsar da lo nuestro a otros.
                _log.warning("broker.salida_a_medias", suscripcion=self._nombre, error=str(error))
        self._llegadas.clear()
        self._reserva.vaciar()

    async def _salir(self) -> None:
        await asyncio.gather(*(self._cliente.hacer(partial(_cerrar, consumidor)) for consumidor in self._consumidores))


def _cerrar(consumidor: pulsar.Consumer, _: pulsar.Client) -> None:
    consumidor.close()


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
