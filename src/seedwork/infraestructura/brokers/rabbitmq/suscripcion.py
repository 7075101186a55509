"""Un consumidor dentro de una suscripción, con su propia conexión, que se rehace sola si se cae."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress

import structlog

from seedwork.infraestructura.brokers import BrokerCerrado, BrokerNoDisponible, Entrega, ErrorBroker
from seedwork.infraestructura.brokers.rabbitmq import formato
from seedwork.infraestructura.brokers.rabbitmq.alta import dar_de_alta
from seedwork.infraestructura.brokers.rabbitmq.conexion import PLAZO_S, Conexion
from seedwork.infraestructura.brokers.rabbitmq.mensajes import Informe
from seedwork.infraestructura.brokers.rabbitmq.publicador import publicar
from seedwork.infraestructura.brokers.rabbitmq.puesto import Puesto, SinJefe
from seedwork.infraestructura.brokers.rabbitmq.topologia import TTL_MAXIMO_MS, Exchange, Nombres
from seedwork.infraestructura.brokers.rabbitmq.ventana import Ficha

_log = structlog.get_logger(__name__)

_VUELTA_MINIMA_S, _VUELTA_MAXIMA_S = 0.1, 2.0
_REPASO_S = 0.02
_MOTIVO_MAXIMO = 8_000


class SuscripcionRabbitMQ:
    """Lo que tiene en las manos sigue siendo suyo tras una reconexión: lo dice al volver, y nadie más lo recibe."""

    def __init__(self, url: str, exchange: Exchange, nombre: str, patrones: Sequence[str]) -> None:
        self._conexion = Conexion(url, f"seedwork {nombre}")
        self._exchange = exchange
        self._nombres = Nombres(nombre)
        self._patrones = list(dict.fromkeys(patrones))
        self._yo = uuid.uuid4().hex
        self._en_mano: dict[Ficha, int] = {}  # con los intentos que constan
        self._nueva = True
        self._fui: tuple[str, list[str]] = ("", [])
        self._puesto: Puesto | None = None
        self._vida: asyncio.Task[None] | None = None
        self._novedad = asyncio.Event()
        self._fallo: ErrorBroker | None = None
        self.cerrada = False
        self.broker_cerrado = False

    async def empezar(self, desde: str) -> None:
        try:
            await dar_de_alta(self._conexion, self._exchange, self._nombres, self._patrones, desde)
            await self._sentarse()
        except BaseException:
            await self._conexion.cerrar()
            raise
        self._vida = asyncio.create_task(self._vivir())

    # --- vivir -------------------------------------------------------------------------------------------------

    async def _sentarse(self) -> None:
        puesto = Puesto(self._conexion, self._exchange, self._nombres, self._yo, self._informe, self._avisar)
        try:
            await puesto.abrir()
        except BaseException:
            puesto.caer()
            raise
        self._puesto, self._nueva = puesto, False
        self._avisar()

    def _informe(self) -> Informe:
        en_camino = self._puesto.en_camino() if self._puesto is not None else []
        tengo = [(ficha.huella, ficha.mensaje.clave) for ficha in [*self._en_mano, *en_camino]]
        return Informe(self._yo, tengo, self._patrones, self._nueva, *self._fui)

    async def _vivir(self) -> None:
        espera_s = _VUELTA_MINIMA_S
        while True:
            if self._puesto is not None:
                await self._puesto.roto.wait()
                _log.warning("broker.conexion_perdida", suscripcion=self._nombres.cola)
                self._fui = self._puesto.caer() or self._fui
                self._puesto, espera_s = None, _VUELTA_MINIMA_S
            await self._conexion.soltar()
            await asyncio.sleep(espera_s)
            try:
                async with self._conexion.hablando():
                    await self._exchange.declarar(self._conexion)
                await self._sentarse()
            except BrokerNoDisponible as error:
                espera_s = min(_VUELTA_MAXIMA_S, espera_s * 2)
                _log.warning("broker.sin_conexion", suscripcion=self._nombres.cola, error=str(error))
            except ErrorBroker as error:
                self._fallo = error
                self._avisar()
                return

    def _avisar(self) -> None:
        self._novedad.set()

    # --- recibir -----------------------------------------------------------------------------------------------

    async def recibir(self, maximo: int, excepto: Collection[str] = ()) -> list[Entrega]:
        try:
            while not self.cerrada:
                if self._fallo is not None:
                    raise self._fallo
                self._novedad.clear()
                if self._puesto is not None:
                    fichas = await self._puesto.tomar(maximo, excepto)
                    if fichas:
                        self._en_mano.update((ficha, ficha.intentos) for ficha in fichas)
                        return [ficha.entrega() for ficha in fichas]
                await self._novedad.wait()
        finally:
            if self._puesto is not None:
                self._puesto.no_espero()
        return []

    # --- responder ---------------------------------------------------------------------------------------------

    async def confirmar(self, entregas: Sequence[Entrega]) -> None:
        fichas = self._mias(entregas)
        if fichas:
            await self._con_puesto(lambda puesto: puesto.terminar(fichas))
            self._soltar(fichas)

    async def iniciar(self, entrega: Entrega) -> int:
        [*fichas] = self._mias([entrega])
        if not fichas:
            return entrega.intentos + 1
        intentos = self._en_mano[fichas[0]] + 1
        await self._con_puesto(lambda puesto: puesto.contar(fichas[0], intentos))
        self._en_mano[fichas[0]] = intentos
        return intentos

    async def reintentar(self, entrega: Entrega, espera_s: float) -> None:
        for ficha in self._mias([entrega]):
            await self._mover(ficha, espera_s, **{formato.INTENTOS: entrega.intentos + 1})
            await self.confirmar([entrega])

    async def desechar(self, entrega: Entrega, motivo: str) -> None:
        for ficha in self._mias([entrega]):
            propias: dict[str, str | int] = {
                formato.INTENTOS: entrega.intentos,
                formato.MOTIVO: motivo[:_MOTIVO_MAXIMO],
                formato.LETRA: uuid.uuid4().hex,
                formato.APARTADA: formato.ahora_ms(),
            }
            await self._mover(ficha, None, **propias)
            await self.confirmar([entrega])

    async def devolver(self, entregas: Sequence[Entrega]) -> None:
        fichas = self._mias(entregas)
        if fichas:
            intentos = [entrega.intentos for entrega in entregas if entrega.referencia in self._en_mano]
            await self._con_puesto(lambda puesto: puesto.devolver(list(zip(fichas, intentos, strict=True))))
            self._soltar(fichas)

    async def _mover(self, ficha: Ficha, espera_s: float | None, **propias: str | int) -> None:
        """Una copia a la cola de esa espera, o a las letras muertas si no hay espera."""
        empezo = time.monotonic()
        async with self._conexion.un_canal() as canal:
            destino = self._nombres.dlq
            if espera_s is not None:
                destino = (
                    await self._nombres.declarar_reintento(canal, espera_s) if espera_s > 0 else self._nombres.cola
                )
            propiedades = formato.copia(ficha.crudo, ficha.mensaje.topico, **propias)
            if espera_s:
                # Crear la cola puede tardar: ya va contado en la espera.
                queda_s = max(0.0, espera_s - (time.monotonic() - empezo))
                propiedades.expiration = str(min(TTL_MAXIMO_MS, int(queda_s * 1000)))
            await publicar(canal, [("", destino, ficha.crudo.body, propiedades)])

    def _mias(self, entregas: Sequence[Entrega]) -> list[Ficha]:
        if self.broker_cerrado:
            raise BrokerCerrado(f"El broker de la suscripción {self._nombres.cola!r} está cerrado")
        return [entrega.referencia for entrega in entregas if entrega.referencia in self._en_mano]

    def _soltar(self, fichas: Sequence[Ficha]) -> None:
        for ficha in fichas:
            self._en_mano.pop(ficha, None)

    async def _con_puesto(self, accion: Callable[[Puesto], Awaitable[None]]) -> None:
        """Lo dice a quien reparta; si no hay nadie, o se cae al decirlo, espera a que lo haya y lo repite."""
        async with self._conexion.hablando(PLAZO_S):
            while self._fallo is None:
                if self._puesto is not None:
                    with suppress(SinJefe, BrokerNoDisponible):
                        async with self._conexion.hablando(None):
                            return await accion(self._puesto)
                await asyncio.sleep(_REPASO_S)
            raise self._fallo

    # --- irse --------------------------------------------------------------------------------------------------

    async def cerrar(self) -> None:
        if self.cerrada:
            return
        self.cerrada = True
        self._avisar()
        if self._vida is not None:
            self._vida.cancel()
            await asyncio.wait([self._vida])
        if self._puesto is not None:
            await self._puesto.cerrar()
            self._puesto = None
        await self._conexion.cerrar()
        self._en_mano.clear()
