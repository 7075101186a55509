"""La cara asíncrona de un consumidor."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from seedwork.infraestructura.brokers import BrokerCerrado, BrokerNoDisponible, Entrega
from seedwork.infraestructura.brokers.kafka import nombres
from seedwork.infraestructura.brokers.kafka.avisos import Aviso
from seedwork.infraestructura.brokers.kafka.cliente import PLAZO_S
from seedwork.infraestructura.brokers.kafka.consumo import Consumo
from seedwork.infraestructura.brokers.kafka.letras import envio_de_letra
from seedwork.infraestructura.brokers.kafka.particion import Registro
from seedwork.infraestructura.brokers.kafka.reparto import Reparto, ahora_ms
from seedwork.infraestructura.brokers.kafka.vuelta import envio_de_vuelta

if TYPE_CHECKING:
    from seedwork.infraestructura.brokers.kafka.broker import BrokerKafka

_CIERRE_S = 6.0
_ENTRADA_S = 3.0  # el grupo puede tardar en contar con uno más; quien sobre entrará cuando haga falta


class SuscripcionKafka:
    """Un consumidor dentro de una suscripción."""

    def __init__(self, broker: BrokerKafka, nombre: str, coincide: Callable[[str], bool]) -> None:
        self._broker = broker
        self._nombre = nombre
        self._coincide = coincide
        self._aviso = Aviso()
        propio = nombres.de_reintentos(nombre)
        self._reparto = Reparto(uuid.uuid4().hex[:12], propio)
        self._particiones_propias = {propio: broker.cliente.topicos[propio]}
        self._consumo = Consumo(broker.cliente, nombre, self._reparto, self._suyos(), self._aviso.dar)
        self._cerrada = False

    def _suyos(self) -> dict[str, int]:
        hay = dict(self._broker.cliente.topicos)  # otro hilo los cambia
        suyos = {t: n for t, n in hay.items() if nombres.es_de_usuario(t) and self._coincide(t)}
        return suyos | self._particiones_propias

    def atender(self) -> None:
        """Se entera de los tópicos que hay ahora."""
        self._consumo.atender(self._suyos())

    async def entrar(self) -> None:
        """Entra en el grupo, y le da un tiempo para que le toque su parte."""
        self._consumo.arrancar()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENTRADA_S):
                while not (self._consumo.con_parte or self._consumo.terminado.is_set()):
                    await self._aviso.proximo().wait()

    # --- recibir ----------------------------------------------------------------------------------------------------

    async def recibir(self, maximo: int, excepto: Collection[str] = ()) -> list[Entrega]:
        await asyncio.sleep(0)  # lo que se esté confirmando empieza a guardarse antes, y se guarda entretanto
        while not (self._cerrada or self._broker.cerrado):
            aviso = self._aviso.proximo()
            registros, guardar = self._reparto.tomar(maximo, excepto)
            if registros:
                self._consumo.hay_sitio()
                return await self._dar(registros, guardar=guardar)
            if self._consumo.error is not None:
                raise self._consumo.error
            await self._esperar(aviso)
        return []

    async def _dar(self, registros: Sequence[Registro], *, guardar: bool) -> list[Entrega]:
        entregas = [registro.entrega() for registro in registros]
        if guardar:
            # Si este proceso muere con ellas, quien las herede debe saber que estuvieron en sus manos.
            try:
                await self._guardar()
            except BaseException as error:
                self._reparto.devolver(entregas)
                self._aviso.dar()
                if isinstance(error, BrokerCerrado):
                    return []
                raise
        return entregas

    async def _esperar(self, aviso: asyncio.Event) -> None:
        proxima = self._reparto.proxima_ms()
        espera_s = None if proxima is None else max(0.001, (proxima - ahora_ms()) / 1000)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(espera_s):
                await aviso.wait()

    # --- responder --------------------------------------------------------------------------------------------------

    async def confirmar(self, entregas: Sequence[Entrega]) -> None:
        self._broker.exigir_abierto()
        self._reparto.terminar([entrega.referencia for entrega in entregas])
        await self._desahogar()
        await self._guardar()

    async def iniciar(self, entrega: Entrega) -> int:
        self._broker.exigir_abierto()
        intentos = self._reparto.iniciar(entrega.referencia)
        await self._guardar()
        return entrega.intentos + 1 if intentos is None else intentos

    async def reintentar(self, entrega: Entrega, espera_s: float) -> None:
        self._broker.exigir_abierto()
        registro: Registro = entrega.referencia
        intentos, vence_ms = entrega.intentos + 1, ahora_ms() + int(espera_s * 1000)
        if registro.en_mano and self._reparto.sin_sitio(registro):
            await self._a_reintentos(registro, intentos, vence_ms)
        else:
            self._reparto.aplazar(registro, intentos, vence_ms)
            self._aviso.dar()
        await self._guardar()

    async def desechar(self, entrega: Entrega, motivo: str) -> None:
        self._broker.exigir_abierto()
        registro: Registro = entrega.referencia
        if registro.en_mano:
            letra = envio_de_letra(self._nombre, registro, motivo, entrega.intentos, ahora_ms())
            await self._broker.publicador.enviar([letra], compactado=True, particiones=1)
            self._reparto.terminar([registro])
        await self._guardar()

    async def devolver(self, entregas: Sequence[Entrega]) -> None:
        self._broker.exigir_abierto()
        cambian = self._reparto.devolver(entregas)
        self._aviso.dar()
        if cambian:
            await self._guardar()

    async def _desahogar(self) -> None:
        """Lo que espera y detiene a una partición entera se va al tópico de reintentos."""
        for registro, vence_ms in self._reparto.estorban():
            try:
                await self._a_reintentos(registro, registro.intentos, vence_ms)
            except BaseException:
                self._reparto.aplazar(registro, registro.intentos, vence_ms)
                raise

    async def _a_reintentos(self, registro: Registro, intentos: int, vence_ms: int) -> None:
        propio = nombres.de_reintentos(self._nombre)
        vuelta = envio_de_vuelta(propio, registro, intentos=intentos, vence_ms=vence_ms)
        await self._broker.publicador.enviar([vuelta])
        self._reparto.terminar([registro])

    # --- guardar y cerrar -------------------------------------------------------------------------------------------

    async def _guardar(self) -> None:
        """Espera a que esté guardado lo que ha cambiado hasta ahora; quienes llegan a la vez comparten el viaje."""
        try:
            async with asyncio.timeout(PLAZO_S + 1.5):
                await asyncio.wrap_future(self._consumo.guardar())
        except TimeoutError:
            raise BrokerNoDisponible(f"Kafka no guardó a tiempo las posiciones de {self._nombre!r}") from None

    async def cerrar(self) -> None:
        if self._cerrada:
            return
        self._cerrada = True
        self._aviso.dar()
        self._broker.olvidar(self)
        if self._consumo.parar():
            limite = time.monotonic() + _CIERRE_S
            while not self._consumo.terminado.is_set() and time.monotonic() < limite:
                aviso = self._aviso.proximo()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await aviso.wait()
