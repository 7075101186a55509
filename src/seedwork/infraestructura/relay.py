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
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Row,
    Text,
    and_,
    any_,
    cast,
    delete,
    exists,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from seedwork.infraestructura import inbox as inbox_sql
from seedwork.infraestructura.base_datos import BaseOcupada, de_lectura
from seedwork.infraestructura.brokers import Broker, BrokerNoDisponible, Mensaje, MensajeNoPublicable
from seedwork.infraestructura.outbox import AvisoOutbox
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.tablas import outbox, outbox_carriles
from seedwork.infraestructura.vigia import vigilar

T = TypeVar("T")
_Fila = Row[int, str, str | None, str, bytes]  # secuencia, tópico, clave, cabeceras en JSON, cuerpo
_log = structlog.get_logger(__name__)

LOTE = 500
ARRIENDO_S = 6.0  # lo que tarda otro relay en tomar los carriles de uno que murió
RETENCION_S = 24 * 3600
_RESPALDO_S = 0.5
_ESPERA_MAXIMA_S = 5.0
_PURGA_S = 60.0
_PAUSA_MAXIMA_S = 0.02
_SEGUIDO_S = 0.05
_EN_ORDEN: ColumnElement[int] = literal_column("outbox.secuencia + 0")  # sólo la tiene el índice de lo pendiente


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
        self._leidas: Sequence[_Fila] = ()
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
                await _ocurre(self._despertar, _RESPALDO_S)
            elif publicados < LOTE:
                # Lo que llega seguido se junta: cada vuelta cuesta dos transacciones. Lo que llega solo no espera.
                seguido = time.monotonic() - ultima < _SEGUIDO_S
                pausa_s = min(_PAUSA_MAXIMA_S, 2 * pausa_s + 0.001) if seguido else 0.0
                ultima = time.monotonic()
                await _ocurre(self._parado, pausa_s)

    async def _vuelta(self) -> int:
        """Publica un lote y dice cuántas filas atendió."""
        filas, self._leidas = self._leidas, ()
        if not self._carriles or time.monotonic() >= self._mios_hasta:
            return 0
        if not filas:
            filas = await asyncio.to_thread(_en, self._lectura, self._pendientes)
        if time.monotonic() >= self._mios_hasta:
            return 0  # leer tardó más que el arriendo: otro pudo tomar los carriles
        if filas:
            await self._publicar(filas)
        if time.monotonic() >= self._purgar_en and not await asyncio.to_thread(_en, self._escritura, _purgar):
            self._purgar_en = time.monotonic() + _PURGA_S
        return len(filas)

    async def _publicar(self, filas: Sequence[_Fila]) -> None:
        try:
            await self._broker.publicar([_a_mensaje(*fila) for fila in filas])
        except MensajeNoPublicable as error:
            id = error.mensaje.cabeceras["id"]
            _log.error("relay.estacionado", id=id, topico=error.mensaje.topico, motivo=str(error))
            await asyncio.to_thread(_en, self._escritura, _estacionar, id, str(error))
        else:
            desde = time.monotonic()
            secuencias = [fila[0] for fila in filas]
            carriles, self._leidas = await asyncio.to_thread(_en, self._escritura, self._cerrar_lote, secuencias)
            if carriles is not None:
                self._son_mios(carriles, desde)

    async def _renovar(self) -> None:
        """Conserva los carriles, y toma los que nadie tenga, aunque publicar tarde más que el arriendo."""
        while not self._parado.is_set():
            try:
                desde = time.monotonic()
                self._son_mios(await asyncio.to_thread(_en, self._escritura, self._arrendar), desde)
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

    async def _soltar(self) -> None:
        try:
            await asyncio.to_thread(_en, self._escritura, self._devolver)
        except (DBAPIError, BaseOcupada) as error:
            _log.warning("relay.arriendo_sin_soltar", error=str(error))  # vencerá solo

    def _arrendar(self, conexion: Connection) -> list[int]:
        tabla = outbox_carriles
        ahora = ahora_ms()
        conexion.execute(
            update(tabla)
            .where(or_(tabla.c.dueno == self._yo, tabla.c.dueno.is_(None), tabla.c.vence_ms < ahora))
            .values(dueno=self._yo, vence_ms=ahora + int(self._arriendo_s * 1000))
        )
        return list(conexion.scalars(select(tabla.c.carril).where(tabla.c.dueno == self._yo).order_by(tabla.c.carril)))

    def _devolver(self, conexion: Connection) -> None:
        tabla = outbox_carriles
        conexion.execute(update(tabla).where(tabla.c.dueno == self._yo).values(dueno=None, vence_ms=0))

    def _pendientes(self, conexion: Connection) -> Sequence[_Fila]:
        # Las cabeceras salen como texto: el controlador tarda más que nosotros en leerlas.
        columnas = outbox.c.secuencia, outbox.c.topico, outbox.c.clave, cast(outbox.c.cabeceras, Text), outbox.c.cuerpo
        publicables = select(*columnas).where(_publicable(), outbox.c.carril.in_(self._carriles))
        return conexion.execute(publicables.order_by(_EN_ORDEN).limit(LOTE)).all()

    def _cerrar_lote(self, conexion: Connection, secuencias: Sequence[int]) -> tuple[list[int] | None, Sequence[_Fila]]:
        """Marca lo publicado y, ya que escribe, renueva el arriendo si toca (con carga, otro turno puede tardar)
        y lee lo siguiente si quedaba más. Devuelve los carriles, si renovó, y lo leído."""
        mio = select(outbox_carriles.c.carril).where(outbox_carriles.c.dueno == self._yo)
        conexion.execute(
            update(outbox)
            .where(_es_una_de(secuencias, conexion), outbox.c.publicado_ms.is_(None), outbox.c.carril.in_(mio))
            .values(publicado_ms=ahora_ms())
        )
        toca = self._mios_hasta - time.monotonic() < 0.8 * self._arriendo_s
        carriles = self._arrendar(conexion) if toca else None
        return carriles, self._pendientes(conexion) if len(secuencias) >= LOTE else ()


def atraso_ms(conexion: Connection) -> int:
    """Hace cuánto espera lo más viejo que se puede publicar; 0 si no hay nada. No cuenta lo estacionado ni lo que
    esté detrás en su clave."""
    consulta = select(outbox.c.creado_ms).where(_publicable()).order_by(_EN_ORDEN).limit(1)
    viejo = conexion.scalar(consulta)
    return 0 if viejo is None else max(0, ahora_ms() - viejo)


def _publicable() -> ColumnElement[bool]:
    delante = outbox.alias("estacionado")
    retenido = exists().where(
        delante.c.publicado_ms.is_(None),
        delante.c.motivo.is_not(None),
        delante.c.topico == outbox.c.topico,
        delante.c.clave == outbox.c.clave,
        delante.c.secuencia < outbox.c.secuencia,
    )
    return and_(outbox.c.publicado_ms.is_(None), outbox.c.motivo.is_(None), ~retenido)


def _estacionar(conexion: Connection, id: str, motivo: str) -> None:
    conexion.execute(update(outbox).where(outbox.c.id == id).values(motivo=motivo))


def _purgar(conexion: Connection) -> bool:
    limite = ahora_ms() - RETENCION_S * 1000
    viejas = select(outbox.c.secuencia).where(outbox.c.publicado_ms < limite).limit(LOTE)
    borradas = conexion.execute(delete(outbox).where(outbox.c.secuencia.in_(viejas))).rowcount
    return borradas + inbox_sql.purgar(conexion, LOTE) > 0


def _es_una_de(secuencias: Sequence[int], conexion: Connection) -> ColumnElement[bool]:
    if conexion.dialect.name == "postgresql":  # un solo parámetro: con 500, prepararlos cuesta más que el UPDATE
        return outbox.c.secuencia == any_(literal(secuencias, ARRAY(BigInteger)))
    return outbox.c.secuencia.in_(secuencias)


def _a_mensaje(_secuencia: int, topico: str, clave: str | None, cabeceras: str, cuerpo: bytes) -> Mensaje:
    return Mensaje(topico=topico, cuerpo=cuerpo, clave=clave, cabeceras=json.loads(cabeceras))


def _en(motor: Engine, funcion: Callable[..., T], *argumentos: Any) -> T:
    with motor.begin() as conexion:
        return funcion(conexion, *argumentos)


async def _ocurre(evento: asyncio.Event, maximo_s: float) -> bool:
    """Espera el evento, a lo más `maximo_s` segundos; dice si ocurrió."""
    try:
        async with asyncio.timeout(maximo_s):
            return await evento.wait()
    except TimeoutError:
        return False
