"""Las letras muertas: un tópico compactado por suscripción, con una entrada por letra y su id por clave."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from seedwork.infraestructura.brokers import BrokerNoDisponible, LetraMuerta, Mensaje
from seedwork.infraestructura.brokers.kafka import cabeceras, nombres, sobre
from seedwork.infraestructura.brokers.kafka.cliente import PLAZO_S, Cliente
from seedwork.infraestructura.brokers.kafka.particion import Registro
from seedwork.infraestructura.brokers.kafka.publicador import Envio
from seedwork.infraestructura.brokers.kafka.vuelta import envio_de_letra_reenviada

if TYPE_CHECKING:
    from seedwork.infraestructura.brokers.kafka.broker import BrokerKafka

_MOTIVO_MAXIMO = 16 * 1024  # que la letra quepa siempre


def envio_de_letra(suscripcion: str, registro: Registro, motivo: str, intentos: int, fecha_ms: int) -> Envio:
    """Apartar dos veces lo mismo da una sola letra: su id sale de dónde estaba el mensaje."""
    particion, bruto = registro.particion, registro.bruto
    lugar = f"{particion.topico}/{particion.numero}/{registro.offset}/{bruto.timestamp()[1]}"
    id = f"{hashlib.sha256(lugar.encode()).hexdigest()[:16]}@{suscripcion}"
    datos = {
        "suscripcion": suscripcion,
        "motivo": motivo[:_MOTIVO_MAXIMO],
        "intentos": intentos,
        "fecha_ms": fecha_ms,
        "topico": registro.topico,
        "clave": sobre.a_texto(bruto.key()),
    }
    return Envio(
        nombres.de_letras_muertas(suscripcion),
        id.encode(),
        bruto.value() or b"",
        sobre.poner(datos, registro.cabeceras_brutas()),
    )


class LetrasMuertasKafka:
    """Las letras de todas las suscripciones. Se leen de principio a fin: son pocas, o algo va mal."""

    def __init__(self, broker: BrokerKafka) -> None:
        self._broker = broker

    async def listar(self, suscripcion: str | None = None, *, maximo: int = 100) -> list[LetraMuerta]:
        self._broker.exigir_abierto()
        brutas = await self._broker.en_hilo(lambda: _Estante(self._broker.cliente).listar(suscripcion, maximo))
        return [_a_letra(bruta) for bruta in brutas]

    async def ver(self, id: str) -> LetraMuerta | None:
        bruta = await self._buscar(id)
        return None if bruta is None else _a_letra(bruta)

    async def reenviar(self, id: str) -> bool:
        bruta = await self._buscar(id)
        if bruta is None:
            return False
        datos, brutas = sobre.quitar(bruta.headers())
        vuelta = envio_de_letra_reenviada(
            nombres.de_reintentos(datos["suscripcion"]),
            datos["topico"],
            sobre.de_texto(datos["clave"]),
            bruta.value(),
            brutas,
        )
        await self._broker.publicador.enviar([vuelta])
        await self._borrar(bruta)
        return True

    async def descartar(self, id: str) -> bool:
        bruta = await self._buscar(id)
        if bruta is None:
            return False
        await self._borrar(bruta)
        return True

    async def _buscar(self, id: str) -> Any:
        self._broker.exigir_abierto()
        return await self._broker.en_hilo(lambda: _Estante(self._broker.cliente).buscar(id))

    async def _borrar(self, bruta: Any) -> None:
        await self._broker.publicador.enviar([Envio(bruta.topic(), bruta.key(), None, [])])


class _Estante:
    """Una lectura de los tópicos de letras, sin grupo y sin dejar rastro."""

    def __init__(self, cliente: Cliente) -> None:
        self._cliente = cliente

    def listar(self, suscripcion: str | None, maximo: int) -> list[Any]:
        hay = self._cliente.listar()
        if suscripcion is None:
            topicos: Sequence[str] = nombres.las_de_letras_muertas(hay)
        else:
            topicos = [t for t in [nombres.de_letras_muertas(suscripcion)] if t in hay]
        encontradas: list[Any] = []
        for topico in topicos:
            if len(encontradas) < maximo:
                vivas = list(self._indice(topico).values())
                encontradas += self._traer(topico, vivas[: maximo - len(encontradas)])
        return encontradas

    def buscar(self, id: str) -> Any:
        _, arroba, suscripcion = id.partition("@")
        if not arroba or not suscripcion:
            return None
        topico = nombres.de_letras_muertas(suscripcion)
        if topico not in self._cliente.listar():
            return None
        offset = self._indice(topico).get(id.encode(errors="replace"))
        return None if offset is None else next(iter(self._traer(topico, [offset])), None)

    def _indice(self, topico: str) -> dict[bytes, int]:
        """Dónde está cada letra que sigue ahí, de la más vieja a la más nueva."""
        indice: dict[bytes, int] = {}
        for bruta in self._leer(topico, 0):
            indice.pop(bruta.key(), None)
            if bruta.value() is not None and sobre.quitar(bruta.headers() or [])[0]:
                indice[bruta.key()] = bruta.offset()
        return indice

    def _traer(self, topico: str, offsets: Sequence[int]) -> list[Any]:
        if not offsets:
            return []
        buscados, traidas = set(offsets), []
        for bruta in self._leer(topico, min(offsets)):
            if bruta.offset() in buscados:
                traidas.append(bruta)
                if len(traidas) == len(buscados):
                    break
        return traidas

    def _leer(self, topico: str, desde: int) -> Iterator[Any]:
        consumidor = self._cliente.consumidor("seedwork-letras-muertas", enable_partition_eof=True)
        try:
            with self._cliente.traducir():
                consumidor.assign([TopicPartition(topico, 0, desde)])
                yield from self._hasta_el_fin(consumidor)
        finally:
            consumidor.close()

    def _hasta_el_fin(self, consumidor: Consumer) -> Iterator[Any]:
        while brutas := consumidor.consume(1, PLAZO_S):
            for bruta in brutas:
                error = bruta.error()
                if error is None:
                    yield bruta
                elif error.code() == _FIN:
                    return
                else:
                    raise KafkaException(error)
        raise BrokerNoDisponible("Kafka no contesta: no se pudieron leer las letras muertas")


_FIN = -191  # KafkaError._PARTITION_EOF


def _a_letra(bruta: Any) -> LetraMuerta:
    datos, brutas = sobre.quitar(bruta.headers())
    clave = sobre.de_texto(datos["clave"])
    return LetraMuerta(
        id=bruta.key().decode(),
        suscripcion=datos["suscripcion"],
        motivo=datos["motivo"],
        intentos=datos["intentos"],
        fecha_ms=datos["fecha_ms"],
        mensaje=Mensaje(
            topico=datos["topico"],
            cuerpo=bruta.value(),
            clave=None if clave is None else cabeceras.texto(clave),
            cabeceras=cabeceras.de_kafka(brutas),
        ),
    )
