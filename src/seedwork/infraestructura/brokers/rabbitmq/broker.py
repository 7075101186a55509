"""El broker sobre RabbitMQ: publicar, y abrir suscripciones y lecturas."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiormq import Channel

from seedwork.infraestructura.brokers import BrokerCerrado, BrokerNoDisponible, Mensaje, compilar_patrones
from seedwork.infraestructura.brokers.rabbitmq.conexion import PLAZO_S, Conexion
from seedwork.infraestructura.brokers.rabbitmq.formato import a_propiedades, ahora_ms, validar_amqp
from seedwork.infraestructura.brokers.rabbitmq.lector import LectorRabbitMQ
from seedwork.infraestructura.brokers.rabbitmq.letras import LetrasMuertasRabbitMQ
from seedwork.infraestructura.brokers.rabbitmq.publicador import publicar
from seedwork.infraestructura.brokers.rabbitmq.suscripcion import SuscripcionRabbitMQ
from seedwork.infraestructura.brokers.rabbitmq.topologia import Exchange, Retencion


class BrokerRabbitMQ:
    """Un `Broker`. Publica por una conexión suya; cada suscripción y cada lectura tienen otra."""

    def __init__(self, url: str, exchange: str, retencion: Retencion) -> None:
        self._url = url
        self._conexion = Conexion(url, "seedwork publicar")
        self._exchange = Exchange(exchange, retencion)
        self._declarado = False
        self._canal: Channel | None = None
        self._preparando = asyncio.Lock()
        self._publicando = asyncio.Lock()
        self._suscripciones: list[SuscripcionRabbitMQ] = []
        self._lectores: list[LectorRabbitMQ] = []
        self._cerrado = False
        self.letras_muertas = LetrasMuertasRabbitMQ(self._preparada, self._exchange)

    async def publicar(self, mensajes: Sequence[Mensaje]) -> None:
        for mensaje in mensajes:
            validar_amqp(mensaje)
        if not mensajes:
            return
        self._exigir_abierto()
        ahora = ahora_ms()
        publicaciones = (
            (self._exchange.nombre, mensaje.topico, mensaje.cuerpo, a_propiedades(mensaje, ahora))
            for mensaje in mensajes
        )
        try:
            async with self._conexion.hablando(), self._publicando:  # un lote entero tras otro
                await publicar(await self._canal_de_publicar(), publicaciones)
        except BrokerNoDisponible:
            # Puede que algo del lote llegara: en otro canal no se confundirá con lo que venga después.
            self._canal, self._declarado = None, False
            await self._conexion.soltar()
            raise

    async def suscribir(
        self, suscripcion: str, topicos: Sequence[str], *, desde: str = "inicio"
    ) -> SuscripcionRabbitMQ:
        compilar_patrones(topicos)
        nueva = SuscripcionRabbitMQ(self._url, self._exchange, suscripcion, topicos)
        await self._preparada()
        self._suscripciones.append(nueva)
        try:
            await nueva.empezar(desde)
        except BaseException:
            self._suscripciones.remove(nueva)
            raise
        return nueva

    async def leer(self, topicos: Sequence[str], *, desde_hace_s: float = 0) -> LectorRabbitMQ:
        lector = LectorRabbitMQ(self._url, self._exchange.log, compilar_patrones(topicos), desde_hace_s)
        await self._preparada()
        self._lectores.append(lector)
        try:
            await lector.empezar()
        except BaseException:
            self._lectores.remove(lector)
            raise
        return lector

    async def comprobar(self) -> None:
        self._exigir_abierto()
        async with self._conexion.un_canal() as canal:
            await canal.basic_qos(prefetch_count=1)

    async def cerrar(self) -> None:
        if self._cerrado:
            return
        self._cerrado = True
        for suscripcion in self._suscripciones:
            suscripcion.broker_cerrado = True
        await asyncio.gather(
            *(suscripcion.cerrar() for suscripcion in self._suscripciones),
            *(lector.cerrar() for lector in self._lectores),
        )
        await self._conexion.cerrar()

    async def _preparada(self) -> Conexion:
        self._exigir_abierto()
        async with self._preparando:
            if not self._declarado:
                async with self._conexion.hablando(PLAZO_S):
                    await self._exchange.declarar(self._conexion)
                self._declarado = True
        return self._conexion

    async def _canal_de_publicar(self) -> Channel:
        conexion = await self._preparada()
        if self._canal is None or self._canal.is_closed:
            self._canal = await conexion.canal()
        return self._canal

    def _exigir_abierto(self) -> None:
        if self._cerrado:
            raise BrokerCerrado(f"El broker {self._conexion.nombre} está cerrado")
