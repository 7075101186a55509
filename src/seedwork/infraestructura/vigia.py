"""Cómo se entera un relay, sin preguntar a sus tablas, de que en otra conexión o proceso se confirmó algo."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

_log = structlog.get_logger(__name__)

CANAL = "seedwork_outbox"
_SONDEO_S = 0.01
_LATIDO_S = 30.0
_REINTENTO_S = 1.0


async def vigilar(motor: Engine, despertar: Callable[[], None]) -> None:
    """Llama a `despertar` cada vez que alguien pudo confirmar algo, hasta que la cancelen.

    En SQLite mira el contador de cambios del archivo; en PostgreSQL escucha lo que toca `Campana`, y si pierde la
    conexión la recupera. Con otro controlador no ve nada: queda el sondeo del relay.
    """
    if motor.dialect.name == "sqlite":
        await _mirar_contador(str(motor.url.database), despertar)
    elif motor.dialect.driver == "psycopg":
        await _escuchar(motor, despertar)


class Campana:
    """Avisa de lo confirmado a los relays de otros procesos, con NOTIFY de PostgreSQL.

    Toca después de confirmar y en su propio hilo, juntando avisos: un NOTIFY dentro de la transacción pondría en fila
    todos los commits de la base. Si un aviso se pierde, el relay sondea.
    """

    def __init__(self, motor: Engine) -> None:
        self._motor = motor.execution_options(isolation_level="AUTOCOMMIT")
        self._pedido = threading.Event()
        self._cerrada = False
        self._hilo: threading.Thread | None = None
        self._candado = threading.Lock()

    def tocar(self) -> None:
        """Pide un aviso; no espera ni falla."""
        self._pedido.set()
        if self._hilo is None or not self._hilo.is_alive():  # tras un fork, el hilo quedó en el padre
            with self._candado:
                if not self._cerrada and (self._hilo is None or not self._hilo.is_alive()):
                    self._hilo = threading.Thread(target=self._atender, name="campana-outbox", daemon=True)
                    self._hilo.start()

    def cerrar(self) -> None:
        """Da los avisos pedidos y termina."""
        with self._candado:
            self._cerrada = True
            hilo = self._hilo
        self._pedido.set()
        if hilo is not None:
            hilo.join()

    def _atender(self) -> None:
        while not self._cerrada or self._pedido.is_set():
            self._pedido.wait()
            self._pedido.clear()
            try:
                with self._motor.connect() as conexion:
                    conexion.exec_driver_sql(f"NOTIFY {CANAL}")
            except SQLAlchemyError as error:
                _log.warning("outbox.sin_aviso", error=str(error))


async def _mirar_contador(ruta: str, despertar: Callable[[], None]) -> None:
    db: sqlite3.Connection | None = None
    visto: object = None
    try:
        while True:
            try:
                if db is None:
                    db = sqlite3.connect(ruta, timeout=0)
                version = db.execute("PRAGMA data_version").fetchone()
                cambio, visto = version != visto, version
            except sqlite3.OperationalError:
                cambio = True  # alguien está escribiendo ahora mismo
            if cambio:
                despertar()
            await asyncio.sleep(_SONDEO_S)
    finally:
        if db is not None:
            db.close()


async def _escuchar(motor: Engine, despertar: Callable[[], None]) -> None:
    import psycopg

    _, opciones = motor.dialect.create_connect_args(motor.url)
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**opciones, autocommit=True) as conexion:
                await conexion.execute(f"LISTEN {CANAL}".encode())
                while True:
                    despertar()  # al empezar, por lo que se confirmó sin que nadie escuchara
                    async for _ in conexion.notifies(timeout=_LATIDO_S):
                        despertar()
                    await conexion.execute("SELECT 1")  # una conexión muerta en silencio no avisaría nunca
        except (psycopg.Error, OSError) as error:
            _log.warning("relay.sin_avisos", error=str(error))
        await asyncio.sleep(_REINTENTO_S)
