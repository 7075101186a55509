"""Lo que Pulsar no recuerda de una suscripción: quién tenía qué al morir, y los intentos de cada mensaje.

Es un tópico que todos sus consumidores escriben y siguen. Cada uno anota lo que tiene antes de darlo; al leer de vuelta
su propia anotación ya leyó todo lo anterior, también lo que anotó quien acaba de morir. De vez en cuando alguien anota
el estado entero, y lo de antes sobra.
"""

from __future__ import annotations

import asyncio
import json
import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pulsar
import structlog

from seedwork.infraestructura.brokers import BrokerNoDisponible, ErrorBroker, Mensaje
from seedwork.infraestructura.brokers.pulsar.cliente import PLAZO_S, Cliente
from seedwork.infraestructura.brokers.pulsar.formato import Sobre
from seedwork.infraestructura.brokers.pulsar.grifo import Grifo

_log = structlog.get_logger(__name__)

_RESUMEN_CADA_S = 30.0
_LECTURA_MS = 90_000  # desde el final: bastante más que lo que separa dos resúmenes
_ANCLA = "ancla"

Tramos = Mapping[str, Mapping[str, list[list[int]]]]


class Id(NamedTuple):
    """Un mensaje dentro de una suscripción."""

    topico: str
    ledger: int
    entrada: int
    indice: int

    @property
    def texto(self) -> str:
        return f"{self.topico}|{self.ledger}:{self.entrada}:{self.indice}"


class Estado:
    """El estado compartido de una suscripción, visto y escrito por el consumidor `yo`."""

    def __init__(self, cliente: Cliente, topico: str, yo: str) -> None:
        self._cliente = cliente
        self._topico = topico
        self._yo = yo
        self._manos: dict[str, Tramos] = {}
        self._intentos: dict[str, int] = {}
        self._numero = 0
        self._ecos: dict[int, asyncio.Future[None]] = {}
        self._resumido = 0.0
        self._lector: pulsar.Reader | None = None
        self._grifo: Grifo | None = None
        self._anclando: asyncio.Future[None] | None = None

    async def abrir(self) -> None:
        """Vuelve cuando se leyó lo que había."""
        lector = await self._cliente.hacer(self._leer_desde_el_resumen, pulsar.Reader.close)
        self._lector = lector
        self._grifo = Grifo(lector.read_next, self._llega, "estado")
        await self.tomar(())

    def _leer_desde_el_resumen(self, cliente: pulsar.Client) -> pulsar.Reader:
        # Una suscripción impide que Pulsar borre el tópico y lo posterior al último resumen.
        cliente.subscribe(
            self._topico,
            _ANCLA,
            consumer_type=pulsar.ConsumerType.Shared,
            initial_position=pulsar.InitialPosition.Earliest,
            receiver_queue_size=1,
        ).close()
        final = cliente.create_reader(self._topico, pulsar.MessageId.latest, start_message_id_inclusive=True)
        try:
            ultimo = final.read_next(PLAZO_S * 1000) if final.has_message_available() else None
        finally:
            final.close()
        lector = cliente.create_reader(self._topico, pulsar.MessageId.earliest)
        if ultimo is not None:
            lector.seek(ultimo.publish_timestamp() - _LECTURA_MS)
        return lector

    def intentos(self, id: Id) -> int | None:
        """Los que se contaron; None si no se contó ninguno."""
        return self._intentos.get(id.texto)

    def de_un_muerto(self, id: Id) -> bool:
        """Si otro lo tenía y no se despidió. Sólo tiene sentido de lo que Pulsar ya dio a este consumidor."""
        return any(quien != self._yo and _contiene(tramos, id) for quien, tramos in self._manos.items())

    async def tomar(self, ids: Iterable[Id]) -> None:
        """Anota que este consumidor tiene eso, y nada más; vuelve cuando se sabe todo lo anotado antes."""
        await self._anotar({"manos": {self._yo: _tramos(ids)}})

    async def contar(self, id: Id, intentos: int) -> None:
        await self._anotar({"intentos": {id.texto: intentos}})

    async def olvidar(self, ids: Iterable[Id]) -> None:
        """Lo que ya no volverá."""
        contados = {id.texto: 0 for id in ids if id.texto in self._intentos}
        if contados:
            await self._anotar({"intentos": contados})

    async def cerrar(self, *, despedirse: bool) -> None:
        try:
            if despedirse and self._grifo is not None:
                await self._anotar({"manos": {self._yo: {}}})
        except ErrorBroker as error:
            _log.warning("broker.despedida_perdida", topico=self._topico, error=str(error))  # parecerá que murió
        if self._grifo is not None:
            await self._grifo.cerrar()
        if self._lector is not None and not self._cliente.cerrado:
            lector = self._lector
            await self._cliente.hacer(lambda _: lector.close())

    async def _anotar(self, registro: dict[str, Any]) -> None:
        registros = [registro]
        if self._numero and time.monotonic() - self._resumido > _RESUMEN_CADA_S:
            self._resumido = time.monotonic()
            registros.insert(0, {"resumen": True, "manos": dict(self._manos), "intentos": dict(self._intentos)})
        self._numero += 1
        numero = self._numero
        registro |= {"de": self._yo, "n": numero}
        eco = self._ecos[numero] = asyncio.get_running_loop().create_future()
        try:
            await self._cliente.enviar(
                self._topico, [(Sobre(cuerpo), _de_relleno(self._topico, cuerpo)) for cuerpo in map(_json, registros)]
            )
            async with asyncio.timeout(PLAZO_S):
                await eco
        except TimeoutError as error:
            raise BrokerNoDisponible(f"No se pudo leer {self._topico}, el estado de la suscripción") from error
        finally:
            self._ecos.pop(numero, None)

    def _llega(self, recibidos: list[pulsar.Message]) -> None:
        for recibido in recibidos:
            try:
                registro = json.loads(recibido.data())
                self._aplicar(registro, recibido)
            except (ValueError, TypeError, AttributeError) as error:
                _log.warning("broker.estado_ilegible", topico=self._topico, error=str(error))

    def _aplicar(self, registro: dict[str, Any], recibido: pulsar.Message) -> None:
        resumen = "resumen" in registro
        if resumen:
            self._resumido = time.monotonic()
            self._anclar(recibido)
        for mapa, cambios in ((self._manos, "manos"), (self._intentos, "intentos")):
            for clave, valor in registro.get(cambios, {}).items():
                # Un resumen puede no saber lo último que se anotó justo antes.
                if not (resumen and clave in mapa):
                    mapa[clave] = valor
                    if not valor and not resumen:
                        del mapa[clave]
        eco = self._ecos.get(registro.get("n", 0)) if registro.get("de") == self._yo else None
        if eco is not None and not eco.done():
            eco.set_result(None)

    def _anclar(self, recibido: pulsar.Message) -> None:
        if self._anclando is None or self._anclando.done():
            self._anclando = asyncio.ensure_future(self._mover_ancla(recibido.message_id()))

    async def _mover_ancla(self, id: Any) -> None:
        def mover(cliente: pulsar.Client) -> None:
            ancla = cliente.subscribe(
                self._topico, _ANCLA, consumer_type=pulsar.ConsumerType.Shared, receiver_queue_size=1
            )
            try:
                ancla.seek(id)
            finally:
                ancla.close()

        try:
            await self._cliente.hacer(mover)
        except ErrorBroker as error:
            _log.warning("broker.ancla_quieta", topico=self._topico, error=str(error))  # el próximo resumen la moverá


def _tramos(ids: Iterable[Id]) -> dict[str, dict[str, list[list[int]]]]:
    """Por tópico y ledger, tramos `[primera, cuántas]` de entradas seguidas."""
    tramos: dict[str, dict[str, list[list[int]]]] = {}
    for id in sorted(ids):
        lista = tramos.setdefault(id.topico, {}).setdefault(str(id.ledger), [])
        if lista and id.entrada <= lista[-1][0] + lista[-1][1]:
            lista[-1][1] = id.entrada - lista[-1][0] + 1
        else:
            lista.append([id.entrada, 1])
    return tramos


def _contiene(tramos: Tramos, id: Id) -> bool:
    lista = tramos.get(id.topico, {}).get(str(id.ledger), [])
    lugar = bisect_right(lista, [id.entrada, 2**62]) - 1
    return lugar >= 0 and id.entrada < lista[lugar][0] + lista[lugar][1]


def _json(registro: dict[str, Any]) -> bytes:
    return json.dumps(registro, separators=(",", ":")).encode()


def _de_relleno(topico: str, cuerpo: bytes) -> Mensaje:
    return Mensaje(topico=topico, cuerpo=cuerpo)
