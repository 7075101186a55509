"""Un consumidor dentro de una suscripción de Pulsar."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

import pulsar
import structlog

from seedwork.infraestructura.brokers import (
    BrokerCerrado,
    Entrega,
    ErrorBroker,
)
from seedwork.infraestructura.brokers.pulsar.atencion import Atencion
from seedwork.infraestructura.brokers.pulsar.carril import Carril
from seedwork.infraestructura.brokers.pulsar.carriles import Carriles
from seedwork.infraestructura.brokers.pulsar.cerrojos import Cerrojos
from seedwork.infraestructura.brokers.pulsar.cliente import PLAZO_CIERRE_S, Cliente
from seedwork.infraestructura.brokers.pulsar.conversacion import Conversacion
from seedwork.infraestructura.brokers.pulsar.estado import Estado
from seedwork.infraestructura.brokers.pulsar.formato import a_pulsar, de_pulsar, id_de
from seedwork.infraestructura.brokers.pulsar.manos import Id
from seedwork.infraestructura.brokers.pulsar.particiones import Particiones
from seedwork.infraestructura.brokers.pulsar.reserva import Reserva, Tomada

_log = structlog.get_logger(__name__)

_LIBRES_MAXIMO = 2_000  # lo traído que se puede dar ya, antes de dejar de traer: unas cuantas anotaciones
_TRAIDAS_MAXIMO = 10_000  # lo traído, contando lo de claves que el consumidor retiene
_BYTES_MAXIMO = 32 * 1024 * 1024
_TICTAC_MS = 1_000  # lo retrasado puede llegar un tictac tarde: se pide uno antes y se guarda aquí
_ESPERA_S = 0.5
_MOTIVO_MAXIMO = 2_000


class SuscripcionPulsar:
    """Atiende los carriles que le tocan; aquí se guarda lo que Pulsar ya dio y nadie pidió aún.

    Devolver deja el mensaje en esta reserva: mientras este consumidor tenga su carril, es suyo.
    """

    def __init__(
        self, cliente: Cliente, conversacion: Conversacion, particiones: Particiones, suscripcion: str
    ) -> None:
        self._cliente = cliente
        self._nombre = suscripcion
        self._yo = uuid.uuid4().hex
        direccion = cliente.direccion
        self._estado = Estado(cliente, direccion.interno(suscripcion, "estado"), self._yo, self._revisar)
        self._cerrojos = Cerrojos(direccion, direccion.interno(suscripcion, "carriles"), self._yo, self._revisar)
        self._atencion = Atencion(cliente, conversacion, particiones, suscripcion, self._yo, self._llega)
        self._carriles: Carriles | None = None
        self._tareas: set[asyncio.Task[None]] = set()
        self._reserva = Reserva()
        self._llegadas: list[Tomada] = []
        self._excepto: Collection[str] = ()
        self._hay_llegadas = asyncio.Event()
        self._hay = asyncio.Event()
        self._respondido = asyncio.Event()
        self._cerrada = False

    async def abrir(self, topicos: Sequence[str], desde: str) -> None:
        try:
            await asyncio.gather(self._estado.abrir(), self._cerrojos.abrir(), self._atencion.conocer(topicos))
            self._carriles = Carriles(
                self._yo,
                len(self._atencion.reintentos),
                self._cerrojos,
                self._estado.reparto,
                self._estado.repartir,
                self,
            )
            self._tareas.add(asyncio.create_task(self._repartir()))
            if desde == "fin":
                self._atencion.posicion = pulsar.InitialPosition.Latest
            await self._carriles.entrar()
            self._atencion.posicion = pulsar.InitialPosition.Earliest
            self._tareas.add(asyncio.create_task(self._atencion.seguir_explorando()))
        except BaseException:
            await asyncio.shield(self.cerrar())
            raise

    # --- los carriles -----------------------------------------------------------------------------------------------

    def _revisar(self) -> None:
        if self._carriles is not None:
            self._carriles.revisar()

    async def abrir_carril(self, numero: int) -> None:
        await self._atencion.abrir(numero)

    async def cerrar_carril(self, numero: int) -> None:
        # Las dos cosas a la vez: lo que se devuelva entre una y otra quedaría detrás de lo que le sigue.
        self._atencion.callar(numero)
        self._reserva.retirar(numero)
        while self._reserva.en_mano[numero]:
            self._respondido.clear()
            await self._respondido.wait()
        try:
            await self._estado.tomar(self._reserva.tengo)  # quien reciba lo suyo debe saber que no se murió con ello
        except ErrorBroker as error:
            _log.warning("broker.sin_anotar", suscripcion=self._nombre, error=str(error))
        await self._atencion.cerrar(numero)
        self._regular()

    def en_mano(self, numero: int) -> int:
        return self._reserva.en_mano[numero]

    # --- tomar ------------------------------------------------------------------------------------------------------

    def _llega(self, carril: Carril, consumidor: pulsar.Consumer, lote: list[pulsar.Message]) -> None:
        if carril.callado:
            return  # sigue sin confirmar
        nuevas: dict[Id, Tomada] = {}
        for recibido in lote:
            id = id_de(recibido)
            if id in self._reserva.tengo or id in nuevas:
                continue  # Pulsar repite lo que ya tenemos tras reconectar
            if self._reserva.hecha(id):  # y también lo que se confirmó mientras no estaba
                consumidor.acknowledge(recibido)
                continue
            mensaje, propias = de_pulsar(recibido, id.topico)
            intentos, vence_ms = (_entero(propias, "intentos"), _entero(propias, "vence")) if propias else (0, 0)
            nuevas[id] = Tomada(id, carril.numero, consumidor, recibido, mensaje, intentos, vence_ms)
        self._reserva.tomar(nuevas.values())
        self._llegadas += nuevas.values()
        self._hay_llegadas.set()
        self._regular()

    async def _repartir(self) -> None:
        """Nada se da sin que conste quién lo tiene: si este proceso muere, se sabrá con qué en las manos."""
        with suppress(BrokerCerrado):
            while True:
                await self._hay_llegadas.wait()
                self._hay_llegadas.clear()
                cuantas = len(self._llegadas)
                try:
                    await self._estado.tomar(self._reserva.tengo)
                except BrokerCerrado:
                    raise
                except ErrorBroker as error:
                    _log.warning("broker.sin_anotar", suscripcion=self._nombre, error=str(error))
                    self._hay_llegadas.set()
                    await asyncio.sleep(_ESPERA_S)
                    continue
                lote, self._llegadas = self._llegadas[:cuantas], self._llegadas[cuantas:]
                for tomada in lote:
                    contados = self._estado.intentos(tomada.id)
                    tomada.intentos = tomada.intentos if contados is None else contados
                    tomada.sospechosa = self._estado.de_un_muerto(tomada.id)
                    self._poner(tomada)

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
        self._atencion.regular(caben=caben)

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
            await self._cliente.enviar(self._atencion.reintentos[mias[0].carril], [(sobre, entrega.mensaje)])
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
            self._devolver(tomada)
        self._respondido.set()

    def _devolver(self, tomada: Tomada) -> None:
        if self._atencion.callado(tomada.carril):
            self._reserva.olvidar(tomada)  # el carril se cede: Pulsar lo dará a quien lo reciba
        else:
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
        self._respondido.set()
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
        await asyncio.gather(*self._tareas, return_exceptions=True)
        if self._carriles is not None:
            await self._carriles.parar()
        limite = asyncio.get_running_loop().time() + PLAZO_CIERRE_S
        # Primero la despedida: quien reciba lo nuestro debe saber que no morimos con ello.
        for paso in (self._estado.despedirse, self._cerrar_carriles, self._estado.cerrar):
            try:
                async with asyncio.timeout_at(limite):
                    await paso()
            except (TimeoutError, ErrorBroker) as error:
                # Si no hubo tiempo, al cerrarse la conexión Pulsar da lo nuestro a otros.
                _log.warning("broker.salida_a_medias", suscripcion=self._nombre, error=str(error))
        self._llegadas.clear()
        self._reserva.vaciar()

    async def _cerrar_carriles(self) -> None:
        try:
            await self._atencion.cerrar_todo()
        finally:
            self._cerrojos.cerrar()


def _entero(propias: dict[str, str], nombre: str) -> int:
    texto = propias.get(nombre, "")
    return int(texto) if texto.isdecimal() and len(texto) < 20 else 0
