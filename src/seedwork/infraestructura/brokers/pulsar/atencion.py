"""Los tópicos de una suscripción, y los carriles por los que se consumen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pulsar
import structlog

from seedwork.infraestructura.brokers import ErrorBroker, compilar_patrones
from seedwork.infraestructura.brokers.pulsar.carril import Carril, Llega
from seedwork.infraestructura.brokers.pulsar.cliente import Cliente
from seedwork.infraestructura.brokers.pulsar.conversacion import EXPLORACION_S, Conversacion
from seedwork.infraestructura.brokers.pulsar.direccion import carril_de, es_patron, nombre_de
from seedwork.infraestructura.brokers.pulsar.particiones import Particiones

_log = structlog.get_logger(__name__)

_AMPLIACION_S = 60.0  # cada cuánto se mira si alguien añadió particiones: lo mismo que el cliente al publicar


class Atencion:
    """Lo que el consumidor `yo` atiende: las particiones de los tópicos que pide, en los carriles que tenga abiertos.

    El carril i de una suscripción son la partición i de cada uno de sus tópicos y la de sus reintentos, que al crearse
    dicen cuántos carriles hay.
    """

    def __init__(
        self,
        cliente: Cliente,
        conversacion: Conversacion,
        particiones: Particiones,
        suscripcion: str,
        yo: str,
        llega: Llega,
    ) -> None:
        self._cliente = cliente
        self._conversacion = conversacion
        self._particiones = particiones
        self._suscripcion = suscripcion
        self._yo = yo
        self._llega = llega
        self._literales: list[str] = []
        self._patrones: list[str] = []
        self._particiones_conocidas: set[str] = set()
        self._abiertos: dict[int, Carril] = {}
        self.posicion = pulsar.InitialPosition.Earliest  # por dónde empieza una suscripción nueva
        self.reintentos: list[str] = []  # el de cada carril

    async def conocer(self, topicos: Sequence[str]) -> None:
        direccion = self._cliente.direccion
        self._literales = [direccion.topico(topico) for topico in topicos if not es_patron(topico)]
        self._patrones = list(topicos) if any(map(es_patron, topicos)) else []
        self.reintentos, *_ = await asyncio.gather(
            self._particiones.de(direccion.interno(self._suscripcion, "reintentos")),
            self._conocer_literales(),
            self._explorar(),
        )

    async def _conocer_literales(self, *, ahora: bool = False) -> None:
        for suyas in await asyncio.gather(*(self._particiones.de(topico, ahora=ahora) for topico in self._literales)):
            self._particiones_conocidas.update(suyas)

    async def _explorar(self) -> None:
        if self._patrones:
            direccion, coincide = self._cliente.direccion, compilar_patrones(self._patrones)
            hay = await self._conversacion.topicos()
            self._particiones_conocidas.update(direccion.topico(t) for t in hay if coincide(nombre_de(t)))

    async def seguir_explorando(self) -> None:
        """Atiende lo que aparezca. El cliente también sabe descubrir tópicos por una expresión, pero tarda minutos."""
        preguntado_s = time.monotonic()
        while True:
            await asyncio.sleep(EXPLORACION_S if self._patrones else _AMPLIACION_S)
            try:
                await self._explorar()
                if time.monotonic() - preguntado_s >= _AMPLIACION_S:
                    await self._conocer_literales(ahora=True)
                    preguntado_s = time.monotonic()
                for carril in list(self._abiertos.values()):
                    await self._poner_al_dia(carril)
            except ErrorBroker as error:
                _log.warning("broker.sin_explorar", suscripcion=self._suscripcion, error=str(error))  # se repetirá

    async def abrir(self, numero: int) -> None:
        nuevo = Carril(numero, self._cliente, self._suscripcion, self._yo, self._llega)
        carril = self._abiertos.setdefault(numero, nuevo)
        await asyncio.gather(self._poner_al_dia(carril), carril.atender_reintentos(self.reintentos[numero]))

    async def _poner_al_dia(self, carril: Carril) -> None:
        cuantos = len(self.reintentos)
        suyas = [p for p in self._particiones_conocidas if carril_de(p, cuantos) == carril.numero]
        await carril.atender(suyas, self.posicion)

    def regular(self, *, caben: bool) -> None:
        """Trae más, o deja lo que siga en el broker."""
        for carril in self._abiertos.values():
            carril.abrir() if caben else carril.cortar()

    def callado(self, numero: int) -> bool:
        carril = self._abiertos.get(numero)
        return carril is None or carril.callado

    def callar(self, numero: int) -> None:
        """No llega nada más por él, desde ya; lo que se confirme todavía vale."""
        if numero in self._abiertos:
            self._abiertos[numero].callar()

    async def cerrar(self, *numeros: int) -> None:
        """Aunque dejen de esperarlo, se acaba de cerrar: un carril abierto no lo podría atender nadie más."""
        carriles = [self._abiertos.pop(numero) for numero in numeros if numero in self._abiertos]
        cierres = [self._cliente.sin_esperar(carril.cerrar()) for carril in carriles]
        await asyncio.shield(asyncio.gather(*cierres, return_exceptions=True))

    async def cerrar_todo(self) -> None:
        await self.cerrar(*self._abiertos)
