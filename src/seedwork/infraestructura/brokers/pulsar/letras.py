"""Las letras muertas: un tópico del namespace que nadie consume, y que se lee entero cada vez.

Una suscripción retiene lo que espera una decisión. Lo decidido se confirma en ella y se anota en el mismo tópico, que
puede conservarlo aún: al listar se salta.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pulsar

from seedwork.infraestructura.brokers import LetraMuerta, Mensaje
from seedwork.infraestructura.brokers.pulsar.cliente import PLAZO_S, Cliente
from seedwork.infraestructura.brokers.pulsar.direccion import carril_de
from seedwork.infraestructura.brokers.pulsar.formato import Sobre, a_pulsar, de_pulsar
from seedwork.infraestructura.brokers.pulsar.particiones import Particiones

ESPERAN = "esperan"
_DECIDIDA = "seedwork-decidida"
_ID = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)


class LetrasMuertasPulsar:
    """Las letras muertas de las suscripciones del namespace. Cada operación las lee todas."""

    def __init__(self, cliente: Cliente, particiones: Particiones) -> None:
        self._cliente = cliente
        self._particiones = particiones
        self._topico = cliente.direccion.letras_muertas
        self._preparado = False

    async def preparar(self) -> None:
        """Que exista la suscripción que las retiene, antes de apartar la primera."""
        if not self._preparado:
            await self._cliente.hacer(lambda cliente: self._entrar(cliente).close())
            self._preparado = True

    async def listar(self, suscripcion: str | None = None, *, maximo: int = 100) -> list[LetraMuerta]:
        letras = await self._todas()
        return [letra for letra, _ in letras if suscripcion in (None, letra.suscripcion)][:maximo]

    async def ver(self, id: str) -> LetraMuerta | None:
        letra, _ = await self._con_origen(id)
        return letra

    async def _con_origen(self, id: str) -> tuple[LetraMuerta | None, str]:
        if _ID.fullmatch(id) is None:
            return None, ""
        return next((par for par in await self._todas() if par[0].id == id), (None, ""))

    async def reenviar(self, id: str) -> bool:
        """Si el proceso muere a medias, la letra se reenvió y sigue en la lista."""
        letra, origen = await self._con_origen(id)
        if letra is None:
            return False
        carriles = await self._particiones.de(self._cliente.direccion.interno(letra.suscripcion, "reintentos"))
        # Al carril del que vino: allí está lo demás de su clave.
        destino = carriles[carril_de(origen.partition("|")[0], len(carriles))]
        await self._cliente.enviar(destino, [(a_pulsar(letra.mensaje, intentos="0"), letra.mensaje)])
        await self._decidir(id)
        return True

    async def descartar(self, id: str) -> bool:
        if await self.ver(id) is None:
            return False
        await self._decidir(id)
        return True

    async def _decidir(self, id: str) -> None:
        decidida = Sobre(b"", {"properties": {_DECIDIDA: id}})
        await self._cliente.enviar(self._topico, [(decidida, Mensaje(topico=self._topico, cuerpo=b""))])
        await self._cliente.hacer(self._confirmar_decididas)

    async def _todas(self) -> list[tuple[LetraMuerta, str]]:
        """Cada una, y el mensaje del que salió."""
        await self.preparar()
        recibidos = await self._cliente.hacer(self._leer)
        decididas = {id for recibido in recibidos if (id := recibido.properties().get(_DECIDIDA))}
        letras: dict[str, tuple[LetraMuerta, str]] = {}
        for recibido in recibidos:
            letra, origen = self._letra(recibido)
            if letra is not None and letra.id not in decididas:
                letras.setdefault(f"{letra.suscripcion} {origen}", (letra, origen))
        return list(letras.values())

    def _letra(self, recibido: pulsar.Message) -> tuple[LetraMuerta | None, str]:
        mensaje, propias = de_pulsar(recibido, self._topico)
        if "suscripcion" not in propias:
            return None, ""
        letra = LetraMuerta(
            id=_id(recibido),
            suscripcion=propias["suscripcion"],
            mensaje=mensaje,
            motivo=propias.get("motivo", ""),
            intentos=int(propias.get("intentos", "0")),
            fecha_ms=int(propias.get("fecha", "0")),
        )
        return letra, propias.get("origen", letra.id)

    def _leer(self, cliente: pulsar.Client) -> list[pulsar.Message]:
        lector = cliente.create_reader(self._topico, pulsar.MessageId.earliest)
        try:
            recibidos = []
            while lector.has_message_available():
                recibidos.append(lector.read_next(PLAZO_S * 1000))
            return recibidos
        finally:
            lector.close()

    def _confirmar_decididas(self, cliente: pulsar.Client) -> None:
        recibidos = self._leer(cliente)
        decididas = {id for recibido in recibidos if (id := recibido.properties().get(_DECIDIDA))}
        consumidor = self._entrar(cliente)
        try:
            for recibido in recibidos:
                if _DECIDIDA in recibido.properties() or _id(recibido) in decididas:
                    consumidor.acknowledge(recibido.message_id())
        finally:
            consumidor.close()

    def _entrar(self, cliente: pulsar.Client) -> Any:
        return _entrar(cliente, self._topico)


_entrar = partial(
    pulsar.Client.subscribe,
    subscription_name=ESPERAN,
    consumer_type=pulsar.ConsumerType.Shared,
    initial_position=pulsar.InitialPosition.Earliest,
    receiver_queue_size=1,
)


def _id(recibido: pulsar.Message) -> str:
    id = recibido.message_id()
    return f"{id.ledger_id()}-{id.entry_id()}"
