"""La cara del broker de Pulsar."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Sequence
from itertools import groupby
from typing import Any, Protocol

from seedwork.infraestructura.brokers import Mensaje, compilar_patrones, validar
from seedwork.infraestructura.brokers.pulsar.administracion import conservar
from seedwork.infraestructura.brokers.pulsar.cliente import Cliente
from seedwork.infraestructura.brokers.pulsar.conversacion import Conversacion
from seedwork.infraestructura.brokers.pulsar.direccion import Direccion
from seedwork.infraestructura.brokers.pulsar.enrutado import Enrutador
from seedwork.infraestructura.brokers.pulsar.formato import a_pulsar
from seedwork.infraestructura.brokers.pulsar.lector import LectorPulsar
from seedwork.infraestructura.brokers.pulsar.letras import LetrasMuertasPulsar
from seedwork.infraestructura.brokers.pulsar.particiones import Particiones
from seedwork.infraestructura.brokers.pulsar.registro_esquemas import RegistroPulsar
from seedwork.infraestructura.brokers.pulsar.suscripcion import SuscripcionPulsar
from seedwork.infraestructura.codificacion import huella_escrita

# Pulsar admite 5 MiB de cuerpo y metadatos; una letra muerta lleva además su motivo y su origen.
TAMANO_MAXIMO = 5 * 1024 * 1024 - 64 * 1024


class _Cerrable(Protocol):
    async def cerrar(self) -> None: ...


class BrokerPulsar:
    """Un `Broker` sobre Pulsar. No abre nada hasta que se usa."""

    letras_muertas: LetrasMuertasPulsar
    esquemas: RegistroPulsar

    def __init__(self, direccion: Direccion) -> None:
        self._cliente = Cliente(direccion)
        self._conversacion = Conversacion(direccion)
        self._conservado = False
        self._enrutadores: defaultdict[str, Enrutador] = defaultdict(Enrutador)
        self._abiertos: list[_Cerrable] = []
        self._particiones = Particiones(self._cliente)
        self.letras_muertas = LetrasMuertasPulsar(self._cliente, self._particiones)
        self.esquemas = RegistroPulsar(self._cliente)

    async def publicar(self, mensajes: Sequence[Mensaje]) -> None:
        for mensaje in mensajes:
            validar(mensaje, TAMANO_MAXIMO)
        if not mensajes:
            return
        self._conservar()
        por_topico: dict[str, list[Mensaje]] = {}
        for mensaje in mensajes:
            por_topico.setdefault(mensaje.topico, []).append(mensaje)
        await _todas(self._enviar(topico, suyos) for topico, suyos in por_topico.items())

    async def _enviar(self, topico: str, mensajes: Sequence[Mensaje]) -> None:
        particiones = await self._particiones.de(self._cliente.direccion.topico(topico))
        enrutador = self._enrutadores[topico]
        por_particion: defaultdict[str, list[Mensaje]] = defaultdict(list)
        for mensaje in mensajes:
            por_particion[particiones[enrutador.elegir(mensaje.clave, len(particiones))]].append(mensaje)
        await _todas(self._enviar_a(topico, particion, suyos) for particion, suyos in por_particion.items())

    async def _enviar_a(self, topico: str, particion: str, mensajes: Sequence[Mensaje]) -> None:
        # Cada esquema tiene su productor: al cambiar de uno a otro se espera el acuse, y el orden se mantiene.
        for huella, seguidos in groupby(mensajes, key=huella_escrita):
            esquema = None if huella is None else await self.esquemas.escrito_con(topico, huella)
            sobres = [(a_pulsar(mensaje), mensaje) for mensaje in seguidos]
            await self._cliente.enviar(particion, sobres, esquema)

    def _conservar(self) -> None:
        # Pulsar no borra nada en los primeros minutos de un tópico: no hace falta esperarlo.
        if not self._conservado:
            self._conservado = True
            self._cliente.sin_esperar(conservar(self._cliente.direccion))

    async def suscribir(self, suscripcion: str, topicos: Sequence[str], *, desde: str = "inicio") -> SuscripcionPulsar:
        compilar_patrones(topicos)
        await self.comprobar()  # el cliente insiste en silencio con un token falso
        self._conservar()
        await self.letras_muertas.preparar()
        nueva = SuscripcionPulsar(self._cliente, self._conversacion, self._particiones, suscripcion)
        await nueva.abrir(topicos, desde)
        self._abiertos.append(nueva)
        return nueva

    async def leer(self, topicos: Sequence[str], *, desde_hace_s: float = 0) -> LectorPulsar:
        coincide = compilar_patrones(topicos)
        lector = LectorPulsar(self._cliente, self._conversacion, self._particiones, topicos, coincide, desde_hace_s)
        await lector.abrir()
        self._abiertos.append(lector)
        return lector

    async def comprobar(self) -> None:
        await self._cliente.hacer(lambda _: None)  # que lo diga si está cerrado
        await self._conversacion.saludar()

    async def cerrar(self) -> None:
        if not self._cliente.cerrado:
            await asyncio.gather(*(abierto.cerrar() for abierto in self._abiertos), return_exceptions=True)
            self._abiertos.clear()
            self._conversacion.cerrar()
            await self._cliente.cerrar()


async def _todas(corrutinas: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Todas terminan aunque una falle: nada sigue en camino cuando se sabe el resultado."""
    for resultado in await asyncio.gather(*corrutinas, return_exceptions=True):
        if isinstance(resultado, BaseException):
            raise resultado
