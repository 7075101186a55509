"""Lo que Pulsar no recuerda de una suscripción: quién tenía qué al morir, los intentos, y quién atiende cada carril.

Es un tópico que todos sus consumidores escriben y siguen. Cada uno anota lo que tiene antes de darlo; al leer de vuelta
su propia anotación ya leyó todo lo anterior, también lo que anotó quien acaba de morir.

De vez en cuando alguien anota un resumen: el estado hasta la última anotación que había leído. Cada anotación dice
hasta dónde llegaba el último resumen conocido, así que quien llega lee la última y empieza por ahí.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import pulsar
import structlog

from seedwork.infraestructura.brokers import BrokerNoDisponible, ErrorBroker, Mensaje
from seedwork.infraestructura.brokers.pulsar.cliente import PLAZO_S, Cliente
from seedwork.infraestructura.brokers.pulsar.formato import Sobre
from seedwork.infraestructura.brokers.pulsar.grifo import Grifo
from seedwork.infraestructura.brokers.pulsar.manos import Id, Tramos, contiene, en_tramos
from seedwork.infraestructura.brokers.pulsar.reparto import Reparto

_log = structlog.get_logger(__name__)

_RESUMEN_CADA = 200  # anotaciones: lo más que lee quien llega, poco más o menos
_OLVIDO_MS = 7 * 24 * 3600 * 1000  # lo que tenía un muerto y nadie recibió en una semana ya no existe
_ANCLA = "ancla"

Lugar = tuple[int, int]  # ledger y entrada de una anotación


class Estado:
    """El estado compartido de una suscripción, visto y escrito por el consumidor `yo`.

    `al_repartir` avisa de que cambió el reparto de los carriles.
    """

    def __init__(self, cliente: Cliente, topico: str, yo: str, al_repartir: Callable[[], None]) -> None:
        self._cliente = cliente
        self._topico = topico
        self._yo = yo
        self._manos: dict[str, tuple[int, Tramos]] = {}  # desde cuándo (ms), y qué
        self._intentos: dict[str, int] = {}
        self.reparto = Reparto(yo)
        self._al_repartir = al_repartir
        self._numero = 0
        self._ecos: dict[int, asyncio.Future[None]] = {}
        self._leido: Lugar | None = None
        self._resumido: Lugar | None = None
        self._sin_resumir = 0
        self._pendientes: list[tuple[Lugar, dict[str, Any]]] | None = None
        self._lector: pulsar.Reader | None = None
        self._grifo: Grifo | None = None

    async def abrir(self) -> None:
        """Vuelve cuando se leyó lo que había."""
        lector, desde = await self._cliente.hacer(self._leer_desde_el_resumen, lambda abierto: abierto[0].close())
        self._lector, self._resumido = lector, desde
        self._pendientes = None if desde is None else []
        self._grifo = Grifo(lector, self._llega, "estado")
        await self.tomar(())

    def _leer_desde_el_resumen(self, cliente: pulsar.Client) -> tuple[pulsar.Reader, Lugar | None]:
        # Una suscripción impide que Pulsar borre el tópico y lo posterior al último resumen.
        ancla = self._entrar_en_el_ancla(cliente)
        try:
            ultimo = ancla.get_last_message_id()
        finally:
            ancla.close()
        desde = _lugar(self._registro_en(cliente, ultimo).get("desde")) if ultimo.entry_id() >= 0 else None
        inicio = pulsar.MessageId.earliest if desde is None else pulsar.MessageId(-1, *desde, -1)
        return cliente.create_reader(self._topico, inicio), desde

    def _registro_en(self, cliente: pulsar.Client, lugar: pulsar.MessageId) -> dict[str, Any]:
        lector = cliente.create_reader(self._topico, lugar, start_message_id_inclusive=True)
        try:
            return _registro(lector.read_next(PLAZO_S * 1000))
        finally:
            lector.close()

    def _entrar_en_el_ancla(self, cliente: pulsar.Client) -> pulsar.Consumer:
        return cliente.subscribe(
            self._topico,
            _ANCLA,
            consumer_type=pulsar.ConsumerType.Failover,
            initial_position=pulsar.InitialPosition.Earliest,
            receiver_queue_size=1,
        )

    def intentos(self, id: Id) -> int | None:
        """Los que se contaron; None si no se contó ninguno."""
        return self._intentos.get(id.texto) if self._intentos else None

    def de_un_muerto(self, id: Id) -> bool:
        """Si otro lo tenía y no se despidió. Sólo tiene sentido de lo que Pulsar ya dio a este consumidor."""
        return any(quien != self._yo and contiene(tramos, id) for quien, (_, tramos) in self._manos.items())

    async def tomar(self, ids: Iterable[Id]) -> None:
        """Anota que este consumidor tiene eso, y nada más; vuelve cuando se sabe todo lo anotado antes."""
        await self._anotar({"manos": {self._yo: [int(time.time() * 1000), en_tramos(ids)]}})

    async def contar(self, id: Id, intentos: int) -> None:
        await self._anotar({"intentos": {id.texto: intentos}})

    async def olvidar(self, ids: Iterable[Id]) -> None:
        """Lo que ya no volverá."""
        contados = {id.texto: 0 for id in ids if self.intentos(id) is not None}
        if contados:
            await self._anotar({"intentos": contados})

    async def repartir(self, registro: dict[str, Any]) -> None:
        """Anota quién tiene qué carriles y a quién se ceden; vuelve cuando se sabe todo lo anotado antes."""
        await self._anotar(registro)

    async def despedirse(self) -> None:
        """Anota que va a salir: lo que tenía no es de un muerto."""
        if self._grifo is not None:
            await self._anotar({"manos": {self._yo: None}})

    async def cerrar(self) -> None:
        """Anota que ya salió y dejó sus carriles, y deja de leer."""
        if self._grifo is None or self._lector is None:
            return
        try:
            await self._anotar({"carriles": {self._yo: None}})
        finally:
            await self._grifo.cerrar()
            lector = self._lector
            await self._cliente.hacer(lambda _: lector.close())

    # --- escribir ---------------------------------------------------------------------------------------------------

    async def _anotar(self, registro: dict[str, Any]) -> None:
        registros = [registro]
        if self._sin_resumir >= _RESUMEN_CADA and self._pendientes is None:
            self._sin_resumir = 0
            registros.insert(0, self._resumen())
        self._numero += 1
        numero = self._numero
        registro |= {"de": self._yo, "n": numero, "desde": self._resumido}
        eco = self._ecos[numero] = asyncio.get_running_loop().create_future()
        try:
            await self._cliente.enviar(self._topico, [_sobre(self._topico, registro) for registro in registros])
            async with asyncio.timeout(PLAZO_S):
                await eco
        except TimeoutError as error:
            raise BrokerNoDisponible(f"No se pudo leer {self._topico}, el estado de la suscripción") from error
        finally:
            self._ecos.pop(numero, None)

    def _resumen(self) -> dict[str, Any]:
        olvido_ms = time.time() * 1000 - _OLVIDO_MS
        manos = {quien: lo_suyo for quien, lo_suyo in self._manos.items() if lo_suyo[0] > olvido_ms}
        return {
            "de": self._yo,
            "resumen": self._leido,
            "desde": self._resumido,
            "manos": manos,
            "intentos": self._intentos,
            "carriles": self.reparto.anotable(),
        }

    # --- leer -------------------------------------------------------------------------------------------------------

    def _llega(self, recibidos: list[pulsar.Message]) -> None:
        for recibido in recibidos:
            id = recibido.message_id()
            try:
                registro = _registro(recibido)
                self._leer((id.ledger_id(), id.entry_id()), registro)
            except (ValueError, TypeError, AttributeError) as error:
                _log.warning("broker.estado_ilegible", topico=self._topico, error=str(error))

    def _leer(self, lugar: Lugar, registro: dict[str, Any]) -> None:
        self._leido = lugar
        mio = registro.get("de") == self._yo
        hasta = _lugar(registro.get("resumen"))
        if hasta is not None:
            self._resumir(hasta, registro, mio=mio)
            return
        self._sin_resumir += 1
        if self._pendientes is None:
            self._aplicar(registro)
        else:
            self._pendientes.append((lugar, registro))
        eco = self._ecos.get(registro.get("n", 0)) if mio else None
        if eco is not None and not eco.done():
            if self._pendientes is not None:  # el resumen ya no existe: vale lo que quede
                self._sincronizar()
            eco.set_result(None)

    def _resumir(self, hasta: Lugar, registro: dict[str, Any], *, mio: bool) -> None:
        self._sin_resumir = 0
        if self._pendientes is not None:
            self._pendientes = [pendiente for pendiente in self._pendientes if pendiente[0] > hasta]
            self._aplicar(registro)
            self._sincronizar()
        # Quien aún no leyó este resumen sigue señalando al anterior: hasta allí se puede borrar.
        if mio and self._resumido is not None:
            self._cliente.sin_esperar(self._mover_el_ancla(self._resumido))
        self._resumido = hasta

    def _sincronizar(self) -> None:
        pendientes, self._pendientes = self._pendientes or [], None
        for _, registro in pendientes:
            self._aplicar(registro)

    def _aplicar(self, registro: dict[str, Any]) -> None:
        for quien, lo_suyo in registro.get("manos", {}).items():
            if lo_suyo is not None and lo_suyo[1]:
                self._manos[quien] = (int(lo_suyo[0]), lo_suyo[1])
            else:
                self._manos.pop(quien, None)
        for id, intentos in registro.get("intentos", {}).items():
            if intentos:
                self._intentos[id] = intentos
            else:
                self._intentos.pop(id, None)
        if "carriles" in registro:
            self.reparto.aplicar(registro["carriles"], registro.get("cede", {}))
            self._al_repartir()

    async def _mover_el_ancla(self, lugar: Lugar) -> None:
        def mover(cliente: pulsar.Client) -> None:
            ancla = self._entrar_en_el_ancla(cliente)
            try:
                ancla.acknowledge_cumulative(pulsar.MessageId(-1, *lugar, -1))
            finally:
                ancla.close()

        try:
            await self._cliente.hacer(mover)
        except ErrorBroker as error:
            _log.warning("broker.ancla_quieta", topico=self._topico, error=str(error))  # el próximo resumen la moverá


def _registro(recibido: pulsar.Message) -> dict[str, Any]:
    registro = json.loads(recibido.data())
    if not isinstance(registro, dict):
        raise ValueError("no es un objeto")
    return registro


def _lugar(valor: Any) -> Lugar | None:
    return None if valor is None else (int(valor[0]), int(valor[1]))


def _sobre(topico: str, registro: dict[str, Any]) -> tuple[Sobre, Mensaje]:
    cuerpo = json.dumps(registro, separators=(",", ":")).encode()
    return Sobre(cuerpo), Mensaje(topico=topico, cuerpo=cuerpo)
