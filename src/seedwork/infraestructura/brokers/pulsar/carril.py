"""Un carril de una suscripción: lo que Pulsar da por él a quien lo atiende."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from functools import partial

import pulsar

from seedwork.infraestructura.brokers.pulsar.cliente import Cliente
from seedwork.infraestructura.brokers.pulsar.grifo import Grifo

_COLA_DEL_CLIENTE = 200

Llega = Callable[["Carril", pulsar.Consumer, list[pulsar.Message]], None]


class Carril:
    """Las particiones de un carril, y la de sus reintentos.

    Las suyas son suscripciones Exclusive: al cambiar de consumidor, Pulsar descarta lo que estuviera leyendo y vuelve a
    lo primero sin confirmar, así que cada partición llega en orden. La de reintentos es Shared porque sólo así guarda
    Pulsar lo retrasado hasta su hora; no la consume nadie más.
    """

    def __init__(self, numero: int, cliente: Cliente, suscripcion: str, yo: str, llega: Llega) -> None:
        self.numero = numero
        self._cliente = cliente
        self._suscripcion = suscripcion
        self._yo = yo
        self._llega = llega
        self._atendidos: set[str] = set()
        self._turno = asyncio.Lock()
        self._consumidores: list[pulsar.Consumer] = []
        self._grifos: list[Grifo] = []
        self.callado = False

    async def atender(self, topicos: Collection[str], posicion: pulsar.InitialPosition) -> None:
        """Consume también esos tópicos; lo que ya atendía, sigue."""
        await self._consumir(topicos, pulsar.ConsumerType.Exclusive, posicion)

    async def atender_reintentos(self, topico: str) -> None:
        await self._consumir([topico], pulsar.ConsumerType.Shared, pulsar.InitialPosition.Earliest)

    async def _consumir(
        self, topicos: Collection[str], tipo: pulsar.ConsumerType, posicion: pulsar.InitialPosition
    ) -> None:
        async with self._turno:
            nuevos = sorted(set(topicos) - self._atendidos)
            if not nuevos or self.callado:
                return
            consumidor = await self._cliente.hacer(
                partial(
                    _consumidor, suscripcion=self._suscripcion, yo=self._yo, topicos=nuevos, tipo=tipo, en=posicion
                ),
                pulsar.Consumer.close,
            )
            self._atendidos.update(nuevos)
            self._consumidores.append(consumidor)
            if not self.callado:
                self._grifos.append(Grifo(consumidor, partial(self._llega, self, consumidor), self._suscripcion))

    def abrir(self) -> None:
        for grifo in self._grifos:
            grifo.abrir()

    def cortar(self) -> None:
        for grifo in self._grifos:
            grifo.cortar()

    def callar(self) -> None:
        """No llega nada más, desde ya; lo que se confirme todavía vale."""
        self.callado = True

    async def cerrar(self) -> None:
        """Lo confirmado queda confirmado, y lo demás, para quien venga."""
        self.callar()
        await asyncio.gather(*(grifo.cerrar() for grifo in self._grifos))
        async with self._turno:
            await asyncio.gather(*(self._cliente.hacer(partial(_cerrar, suyo)) for suyo in self._consumidores))
            self._consumidores.clear()


def _consumidor(
    cliente: pulsar.Client,
    *,
    suscripcion: str,
    yo: str,
    topicos: list[str],
    tipo: pulsar.ConsumerType,
    en: pulsar.InitialPosition,
) -> pulsar.Consumer:
    return cliente.subscribe(
        topicos[0] if len(topicos) == 1 else topicos,
        suscripcion,
        consumer_type=tipo,
        consumer_name=yo,
        initial_position=en,
        receiver_queue_size=_COLA_DEL_CLIENTE,
        max_total_receiver_queue_size_across_partitions=5 * _COLA_DEL_CLIENTE,
        batch_index_ack_enabled=True,
    )


def _cerrar(consumidor: pulsar.Consumer, _: pulsar.Client) -> None:
    consumidor.close()
