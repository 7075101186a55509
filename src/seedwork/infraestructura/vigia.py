"""Saber, sin preguntar a sus tablas, que alguien escribió en una base."""

from __future__ import annotations

import sqlite3

from sqlalchemy import Engine


class Vigia:
    """Lee el contador de cambios de SQLite, en microsegundos; en otras bases no ve nada. Se usa desde un hilo."""

    def __init__(self, motor: Engine) -> None:
        self._ruta = motor.url.database if motor.dialect.name == "sqlite" else None
        self._db: sqlite3.Connection | None = None
        self._visto: object = None

    def cambio(self) -> bool:
        """Si otra conexión, de este proceso o de otro, escribió desde la última vez que se preguntó."""
        if self._ruta is None:
            return False
        try:
            if self._db is None:
                self._db = sqlite3.connect(self._ruta, timeout=0)
            version = self._db.execute("PRAGMA data_version").fetchone()
        except sqlite3.OperationalError:
            return True  # alguien está escribiendo ahora mismo
        cambio = bool(version != self._visto)
        self._visto = version
        return cambio

    def cerrar(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
