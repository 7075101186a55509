"""El relay: publica el outbox en orden por clave, despierta al confirmar y no pierde nada si el broker cae."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from seedwork.infraestructura import pendientes
from seedwork.infraestructura.base_datos import BaseOcupada, de_lectura
from seedwork.infraestructura.brokers import Broker, BrokerNoDisponible, Mensaje, MensajeNoPublicable
from seedwork.infraestructura.outbox import AvisoOutbox
from seedwork.infraestructura.pendientes import Fila
from seedwork.infraestructura.vigia import vigilar

T = TypeVar("T")
_log = structlog.get_logger(__name__)

LOTE = 500
ARRIENDO_S = 6.0  # lo que tarda otro relay en tomar los carriles de uno que murió
_RESPALDO_S = 0.5
_RESPALDO_POR_VUELTA = 10
_ESPERA_MAXIMA_S = 5.0
_PURGA_S = 60.0
_PAUSA_MAXIMA_S = 0.02
_SEGUIDO_S = 0.05


class Relay:
    """Publica lo pendiente de una base en un broker. Puede haber varios: cada carril lo lleva uno a la vez.

    Si el broker no está, espera y sigue donde iba. Un mensaje que no se puede publicar se estaciona con su motivo y
    retiene sólo lo de su misma clave. Al menos una vez: si el proceso muere entre publicar y marcar, se repite.
    """

    def __init__(self, motor: Engine, broker: Broker, aviso: AvisoOutbox, *, arriendo_s: float = ARRIENDO_S) -> None:
        self._escritura, self._lectura = motor, de_lectura(motor)
        self._broker = broker
        self._aviso = aviso
        self._arriendo_s = arriendo_s
        self._yo = uuid.uuid4().hex
        self._carriles: list[int] = []
        self._mios_hasta = 0.0
        self._leidas: Sequence[Fila] = ()
        self._sin_marcar: list[int] = []
        self._purgar_en = 0.0
        self._despertar = asyncio.Event()
        self._parado = asyncio.Event()

    async def correr(self) -> None:
        """Publica hasta que alguien llame a `parar`; no termina por ningún error."""
        loop = asyncio.get_running_loop()

        def despertar() -> None:
            loop.call_soon_threadsafe(self._despertar.set)

        self._aviso.escuchar(despertar)
        arriendo = asyncio.create_task(self._renovar())
        vigia = asyncio.create_task(vigilar(self._escritura, self._despertar.set))
        try:
            await self._atender()
        finally:
            self._aviso.dejar(despertar)
            self.parar()
            vigia.cancel()
            await asyncio.gather(vigia, return_exceptions=True)
            await arriendo
            await self._soltar()

    def parar(self) -> None:
        """Termina el lote en curso y deja los carriles a otro."""
        self._parado.set()
        self._despertar.set()

    async def _atender(self) -> None:
        fallos, pausa_s, ultima = 0, 0.0, 0.0
        while not self._parado.is_set():
            self._despertar.clear()
            empezo = time.monotonic()
            try:
                publicados = await self._vuelta()
                fallos = 0
            except BrokerNoDisponible as error:
                fallos += 1
                _log.warning("relay.broker_no_disponible", error=str(error), fallos=fallos)
            except Exception:  # noqa: BLE001 - el relay sobrevive a todo: lo pendiente sigue en la base
                fallos += 1
                _log.exception("relay.fallo", fallos=fallos)
            if fallos:
                espera_s = min(_ESPERA_MAXIMA_S, 0.1 * 2.0 ** min(fallos, 10))
                await _ocurre(self._parado, espera_s * random.uniform(0.5, 1))  # noqa: S311 - jitter
            elif not publicados:
                # Mirar puede costar, con mucho retenido detrás de lo estacionado: entonces se mira menos.
                costo_s = time.monotonic() - empezo
                respaldo_s = min(_ESPERA_MAXIMA_S, max(_RESPALDO_S, _RESPALDO_POR_VUELTA * costo_s))
                await _ocurre(self._despertar, respaldo_s)
            elif publicados < LOTE:
                # Lo que llega seguido se junta: cada vuelta cuesta dos transacciones. Lo que llega solo no espera.
                seguido = time.monotonic() - ultima < _SEGUIDO_S
                pausa_s = min(_PAUSA_MAXIMA_S, 2 * pausa_s + 0.001) if seguido else 0.0
                ultima = time.monotonic()
                await _ocurre(self._parado, pausa_s)

    async def _vuelta(self) -> int:
        """Publica un lote y dice cuántas filas atendió."""
        if not self._vigentes():
            return 0
        if not self._leidas:
            await self._leer()
        filas, self._leidas = self._leidas, ()
        if not self._vigentes():
            return 0  # leer tardó más que el arriendo: otro pudo tomar los carriles
        if filas:
            await self._publicar(filas)
        if time.monotonic() >= self._purgar_en and not await _en(self._escritura, pendientes.purgar, LOTE):
            self._purgar_en = time.monotonic() + _PURGA_S
        return len(filas)

    async def _publicar(self, filas: Sequence[Fila]) -> None:
        """Publica un lote; mientras sale uno lleno, se marca el anterior y se lee el siguiente."""
        secuencias = [fila[0] for fila in filas]
        lleno = len(filas) >= LOTE
        adelanto, salida = await asyncio.gather(
            self._leer(salvo=secuencias) if lleno else _nada(), self._sacar(filas), return_exceptions=True
        )
        if salida is None:
            self._sin_marcar += secuencias
        else:
            self._leidas = ()  # iba detrás de lo que no salió
        if isinstance(salida, MensajeNoPublicable):
            await self._estacionar(salida)
        for fallo in (salida, adelanto):
            if fallo is not None and not isinstance(fallo, MensajeNoPublicable):
                raise fallo
        if not lleno:
            await self._cerrar_lote()

    async def _sacar(self, filas: Sequence[Fila]) -> None:
        await self._broker.publicar(
            [
                Mensaje(topico=topico, cuerpo=cuerpo, clave=clave, cabeceras=json.loads(cabeceras))
                for _, topico, clave, cabeceras, cuerpo in filas
            ]
        )

    async def _estacionar(self, error: MensajeNoPublicable) -> None:
        id = error.mensaje.cabeceras["id"]
        _log.error("relay.estacionado", id=id, topico=error.mensaje.topico, motivo=str(error))
        await _en(self._escritura, pendientes.estacionar, id, str(error))

    async def _leer(self, salvo: Sequence[int] = ()) -> None:
        carriles = self._carriles
        leidas = await self._cerrar_lote(lambda conexion: pendientes.leer(conexion, carriles, LOTE, salvo))
        self._leidas = leidas if self._carriles is carriles else ()  # lo leído puede ser ya de otro

    async def _cerrar_lote(self, leer: Callable[[Connection], Sequence[Fila]] = lambda _: ()) -> Sequence[Fila]:
        """Una transacción: marca lo publicado, renueva el arriendo si toca (con carga, otro turno puede tardar) y lee.

        Lo que no se llegue a marcar se marca la próxima vez, y no se vuelve a publicar.
        """
        desde, secuencias = time.monotonic(), list(self._sin_marcar)
        toca = self._mios_hasta - desde < 0.8 * self._arriendo_s

        def cerrar(conexion: Connection) -> tuple[list[int] | None, Sequence[Fila]]:
            if not secuencias:
                return None, leer(conexion)
            pendientes.marcar(conexion, secuencias, self._yo)
            carriles = pendientes.arrendar(conexion, self._yo, self._arriendo_s) if toca else None
            return carriles, leer(conexion)

        carriles, leidas = await _en(self._escritura if secuencias else self._lectura, cerrar)
        del self._sin_marcar[: len(secuencias)]
        if carriles is not None:
            self._son_mios(carriles, desde)
        return leidas

    async def _renovar(self) -> None:
        """Conserva los carriles, y toma los que nadie tenga, aunque publicar tarde más que el arriendo."""
        while not self._parado.is_set():
            try:
                desde = time.monotonic()
                carriles = await _en(self._escritura, pendientes.arrendar, self._yo, self._arriendo_s)
                self._son_mios(carriles, desde)
            except Exception as error:  # noqa: BLE001 - se vuelve a intentar; si vence, otro relay los toma
                _log.warning("relay.arriendo_sin_renovar", error=str(error))
            await _ocurre(self._parado, self._arriendo_s / 3)

    def _son_mios(self, carriles: list[int], desde: float) -> None:
        if perdidos := sorted({*self._carriles} - {*carriles}):
            _log.warning("relay.carriles_perdidos", carriles=perdidos)  # lo que publicaba puede repetirse
            self._leidas = ()
        self._mios_hasta = max(self._mios_hasta, desde + self._arriendo_s)
        if carriles != self._carriles:
            self._carriles = carriles
            self._despertar.set()

    def _vigentes(self) -> bool:
        return bool(self._carriles) and time.monotonic() < self._mios_hasta

    async def _soltar(self) -> None:
        try:
            await self._cerrar_lote()
            await _en(self._escritura, pendientes.devolver, self._yo)
        except (DBAPIError, BaseOcupada) as error:
            _log.warning("relay.arriendo_sin_soltar", error=str(error))  # vencerá solo


async def _en(motor: Engine, funcion: Callable[..., T], *argumentos: Any) -> T:
    def en_transaccion() -> T:
        with motor.begin() as conexion:
            return funcion(conexion, *argumentos)

    return await asyncio.to_thread(en_transaccion)


async def _nada() -> None: ...


async def _ocurre(evento: asyncio.Event, maximo_s: float) -> bool:
    """Espera el evento, a lo más `maximo_s` segundos; dice si ocurrió."""
    try:
        async with asyncio.timeout(maximo_s):
            return await evento.wait()
    except TimeoutError:
        return False
