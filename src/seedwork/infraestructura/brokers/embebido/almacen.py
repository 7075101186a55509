"""El SQL del broker embebido: síncrono, y siempre desde un mismo hilo.

El log de mensajes es uno; cada suscripción lleva un cursor por tópico y una fila por mensaje tomado y sin confirmar
(`entregas`). Una clave está en manos de un solo consumidor mientras tenga algo tomado: así se conserva su orden.
"""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from seedwork.infraestructura.brokers import (
    BrokerNoDisponible,
    Entrega,
    ErrorBroker,
    LetraMuerta,
    Mensaje,
    compilar_patrones,
)

VERSION = 1
VIDA_S = 10.0  # sin latido en este tiempo, lo que tenía un consumidor pasa a otro
RETENIDAS_MAXIMO = 10_000  # entregas apartadas por su clave antes de dejar de avanzar
_ESPERA_BLOQUEO_MS = 10_000

_ESQUEMA = """
CREATE TABLE topicos (id INTEGER PRIMARY KEY, nombre TEXT NOT NULL UNIQUE, ultimo INTEGER NOT NULL);
CREATE TABLE mensajes (
    pos INTEGER PRIMARY KEY AUTOINCREMENT, topico INTEGER NOT NULL, clave TEXT, cabeceras TEXT NOT NULL,
    cuerpo BLOB NOT NULL, fecha_ms INTEGER NOT NULL, destino INTEGER);
CREATE INDEX mensajes_topico ON mensajes (topico, pos);
CREATE TABLE suscripciones (
    id INTEGER PRIMARY KEY, nombre TEXT NOT NULL UNIQUE, inicio INTEGER NOT NULL, patrones TEXT NOT NULL);
CREATE TABLE cursores (
    suscripcion INTEGER NOT NULL, topico INTEGER NOT NULL, leido INTEGER NOT NULL,
    PRIMARY KEY (suscripcion, topico)) WITHOUT ROWID;
CREATE TABLE entregas (
    suscripcion INTEGER NOT NULL, pos INTEGER NOT NULL, clave TEXT, intentos INTEGER NOT NULL DEFAULT 0,
    sospechosa INTEGER NOT NULL DEFAULT 0, disponible_ms INTEGER NOT NULL DEFAULT 0, dueno TEXT,
    PRIMARY KEY (suscripcion, pos)) WITHOUT ROWID;
CREATE INDEX entregas_dueno ON entregas (suscripcion, dueno, pos);
CREATE TABLE consumidores (
    suscripcion INTEGER NOT NULL, id TEXT NOT NULL, vence_ms INTEGER NOT NULL,
    PRIMARY KEY (suscripcion, id)) WITHOUT ROWID;
CREATE TABLE letras_muertas (
    id INTEGER PRIMARY KEY AUTOINCREMENT, suscripcion INTEGER NOT NULL, topico TEXT NOT NULL, clave TEXT,
    cabeceras TEXT NOT NULL, cuerpo BLOB NOT NULL, motivo TEXT NOT NULL, intentos INTEGER NOT NULL,
    fecha_ms INTEGER NOT NULL);
"""


def ahora_ms() -> int:
    return time.time_ns() // 1_000_000


class Almacen:
    """Una conexión al log. `ruta=None` es la memoria de este objeto."""

    def __init__(self, ruta: str | None) -> None:
        self._ruta = ruta
        self._db = abrir(ruta)
        self._crear()

    def cerrar(self) -> None:
        self._db.close()

    def publicar(self, mensajes: Sequence[Mensaje]) -> None:
        fecha = ahora_ms()
        with self._escribir(durable=True):
            self._anadir(mensajes, fecha, destino=None)

    def _anadir(self, mensajes: Sequence[Mensaje], fecha: int, destino: int | None) -> None:
        topicos = {nombre: self._id_topico(nombre) for nombre in {mensaje.topico for mensaje in mensajes}}
        self._db.executemany(
            "INSERT INTO mensajes (topico, clave, cabeceras, cuerpo, fecha_ms, destino) VALUES (?,?,?,?,?,?)",
            [(topicos[m.topico], m.clave, _a_json(m), m.cuerpo, fecha, destino) for m in mensajes],
        )
        # Sin otro escritor, las posiciones del lote son consecutivas y acaban en la última.
        primera = self._db.last_insert_rowid() - len(mensajes) + 1
        ultimos = {topicos[m.topico]: primera + i for i, m in enumerate(mensajes)}
        self._db.executemany("UPDATE topicos SET ultimo=? WHERE id=?", [(pos, id) for id, pos in ultimos.items()])

    def suscribir(self, nombre: str, patrones: Sequence[str], desde: str) -> int:
        with self._escribir():
            fila = self._uno("SELECT id FROM suscripciones WHERE nombre=?", (nombre,))
            texto = json.dumps(list(patrones))
            if fila is not None:
                self._db.execute("UPDATE suscripciones SET patrones=? WHERE id=?", (texto, fila[0]))
                return int(fila[0])
            inicio = 0 if desde == "inicio" else self._ultima_pos()
            self._db.execute(
                "INSERT INTO suscripciones (nombre, inicio, patrones) VALUES (?,?,?)", (nombre, inicio, texto)
            )
            return self._db.last_insert_rowid()

    def latir(self, consumidores: Sequence[tuple[int, str]]) -> None:
        """Los consumidores `(suscripcion, dueno)` siguen vivos otros `VIDA_S` segundos."""
        vence = ahora_ms() + int(VIDA_S * 1000)
        with self._escribir():
            self._db.executemany(
                "INSERT INTO consumidores VALUES (?,?,?) ON CONFLICT DO UPDATE SET vence_ms=excluded.vence_ms",
                [(suscripcion, dueno, vence) for suscripcion, dueno in consumidores],
            )

    def despedir(self, suscripcion: int, dueno: str) -> None:
        """El consumidor se va: lo que tuviera sin confirmar es de quien lo pida, y sospechoso si lo había empezado."""
        with self._escribir():
            self._soltar(suscripcion, dueno)

    def _soltar(self, suscripcion: int, dueno: str) -> None:
        self._db.execute(
            "UPDATE entregas SET dueno=NULL, sospechosa=1 WHERE suscripcion=? AND dueno=?", (suscripcion, dueno)
        )
        self._db.execute("DELETE FROM consumidores WHERE suscripcion=? AND id=?", (suscripcion, dueno))

    def tomar(self, suscripcion: int, coincide: Callable[[str], bool], dueno: str, maximo: int) -> list[Entrega]:
        """Hasta `maximo` entregas que nadie tenga; primero comprueba, sin escribir, que haya algo."""
        if not self._hay_algo(suscripcion, coincide):
            return []
        with self._escribir():
            self._enterrar(suscripcion)
            bloqueadas = {
                fila[0]
                for fila in self._db.execute(
                    "SELECT DISTINCT clave FROM entregas WHERE suscripcion=? AND dueno IS NOT NULL AND dueno<>?"
                    " AND clave IS NOT NULL",
                    (suscripcion, dueno),
                )
            }
            entregas = self._tomar_pendientes(suscripcion, dueno, maximo, bloqueadas)
            avanzo = True
            while avanzo and len(entregas) < maximo:
                cupo = maximo - len(entregas)
                avanzo, nuevas = self._tomar_nuevas(suscripcion, coincide, dueno, cupo, bloqueadas)
                entregas += nuevas
            return entregas

    def proxima_ms(self, suscripcion: int) -> int | None:
        """Cuándo vence la próxima espera de un reintento."""
        fila = self._uno(
            "SELECT min(disponible_ms) FROM entregas WHERE suscripcion=? AND dueno IS NULL AND disponible_ms>0",
            (suscripcion,),
        )
        return None if fila is None or fila[0] is None else int(fila[0])

    def _hay_algo(self, suscripcion: int, coincide: Callable[[str], bool]) -> bool:
        ahora = ahora_ms()
        pendiente = self._uno(
            "SELECT 1 FROM entregas WHERE suscripcion=? AND dueno IS NULL AND disponible_ms<=? LIMIT 1",
            (suscripcion, ahora),
        )
        if pendiente or self._uno(
            "SELECT 1 FROM consumidores WHERE suscripcion=? AND vence_ms<? LIMIT 1", (suscripcion, ahora)
        ):
            return True
        return any(leido < ultimo for _, leido, ultimo in self._cursores(suscripcion, coincide))

    def _cursores(self, suscripcion: int, coincide: Callable[[str], bool]) -> list[tuple[int, int, int]]:
        filas = self._db.execute(
            "SELECT t.id, t.nombre, coalesce(c.leido, s.inicio), t.ultimo FROM suscripciones s CROSS JOIN topicos t"
            " LEFT JOIN cursores c ON c.suscripcion=s.id AND c.topico=t.id WHERE s.id=?",
            (suscripcion,),
        )
        return [(id, leido, ultimo) for id, nombre, leido, ultimo in filas if coincide(nombre)]

    def _enterrar(self, suscripcion: int) -> None:
        muertos: list[Any] = self._db.execute(
            "SELECT id FROM consumidores WHERE suscripcion=? AND vence_ms<?", (suscripcion, ahora_ms())
        ).fetchall()
        for (dueno,) in muertos:
            self._soltar(suscripcion, dueno)

    def _tomar_pendientes(self, suscripcion: int, dueno: str, maximo: int, bloqueadas: set[str]) -> list[Entrega]:
        ahora = ahora_ms()
        elegidas = []
        filas = self._db.execute(
            "SELECT pos, clave, intentos, sospechosa, disponible_ms FROM entregas"
            " WHERE suscripcion=? AND dueno IS NULL ORDER BY pos",
            (suscripcion,),
        )
        for pos, clave, intentos, sospechosa, disponible in filas:
            if disponible <= ahora and clave not in bloqueadas:
                elegidas.append((pos, intentos, sospechosa))
            if len(elegidas) == maximo:
                break
        filas.close()
        self._db.executemany(
            "UPDATE entregas SET dueno=?, disponible_ms=0 WHERE suscripcion=? AND pos=?",
            [(dueno, suscripcion, pos) for pos, _, _ in elegidas],
        )
        return [Entrega(self._mensaje(pos), intentos, bool(sospechosa), pos) for pos, intentos, sospechosa in elegidas]

    def _tomar_nuevas(
        self, suscripcion: int, coincide: Callable[[str], bool], dueno: str, maximo: int, bloqueadas: set[str]
    ) -> tuple[bool, list[Entrega]]:
        # Una clave con algo retenido sin dueño sigue retenida: lo nuevo va detrás.
        retenidas = [
            fila[0]
            for fila in self._db.execute(
                "SELECT clave FROM entregas WHERE suscripcion=? AND dueno IS NULL AND disponible_ms=0 LIMIT ?",
                (suscripcion, RETENIDAS_MAXIMO),
            )
        ]
        bloqueadas |= {clave for clave in retenidas if clave is not None}
        cupo_retenidas = RETENIDAS_MAXIMO - len(retenidas)
        cursores = [c for c in self._cursores(suscripcion, coincide) if c[1] < c[2]]
        entregas: list[Entrega] = []
        leidos: dict[int, int] = {}
        nuevas = []
        for pos, topico, nombre, clave, cabeceras, cuerpo, destino in heapq.merge(
            *[self._del_topico(topico, leido, maximo) for topico, leido, _ in cursores]
        ):
            if len(entregas) == maximo:
                break
            if destino is None or destino == suscripcion:
                retener = clave in bloqueadas
                if retener and cupo_retenidas == 0:
                    break
                nuevas.append((suscripcion, pos, clave, None if retener else dueno))
                if retener:
                    cupo_retenidas -= 1
                else:
                    mensaje = Mensaje(topico=nombre, cuerpo=cuerpo, clave=clave, cabeceras=json.loads(cabeceras))
                    entregas.append(Entrega(mensaje, 0, False, pos))
            leidos[topico] = pos
        self._db.executemany("INSERT INTO entregas (suscripcion, pos, clave, dueno) VALUES (?,?,?,?)", nuevas)
        self._db.executemany(
            "INSERT INTO cursores VALUES (?,?,?) ON CONFLICT DO UPDATE SET leido=excluded.leido",
            [(suscripcion, topico, leido) for topico, leido in leidos.items()],
        )
        return bool(leidos), entregas

    def _del_topico(self, topico: int, leido: int, maximo: int) -> list[Any]:
        filas: list[Any] = self._db.execute(
            "SELECT m.pos, m.topico, t.nombre, m.clave, m.cabeceras, m.cuerpo, m.destino FROM mensajes m"
            " JOIN topicos t ON t.id=m.topico WHERE m.topico=? AND m.pos>? ORDER BY m.pos LIMIT ?",
            (topico, leido, maximo),
        ).fetchall()
        return filas

    def confirmar(self, suscripcion: int, dueno: str, posiciones: Sequence[int]) -> None:
        with self._escribir():
            self._db.executemany(
                "DELETE FROM entregas WHERE suscripcion=? AND pos=? AND dueno=?",
                [(suscripcion, pos, dueno) for pos in posiciones],
            )

    def iniciar(self, suscripcion: int, dueno: str, pos: int) -> int | None:
        """Los intentos que van contando éste; None si la entrega ya es de otro."""
        with self._escribir(durable=True):
            fila = self._uno(
                "UPDATE entregas SET intentos=intentos+1 WHERE suscripcion=? AND pos=? AND dueno=? RETURNING intentos",
                (suscripcion, pos, dueno),
            )
            return None if fila is None else int(fila[0])

    def reintentar(self, suscripcion: int, dueno: str, pos: int, intentos: int, espera_s: float) -> None:
        disponible = ahora_ms() + int(espera_s * 1000)
        with self._escribir():
            self._db.execute(
                "UPDATE entregas SET dueno=NULL, sospechosa=0, intentos=?, disponible_ms=?"
                " WHERE suscripcion=? AND pos=? AND dueno=?",
                (intentos, disponible, suscripcion, pos, dueno),
            )

    def devolver(self, suscripcion: int, dueno: str, posiciones: Sequence[int]) -> None:
        with self._escribir():
            self._db.executemany(
                "UPDATE entregas SET dueno=NULL WHERE suscripcion=? AND pos=? AND dueno=?",
                [(suscripcion, pos, dueno) for pos in posiciones],
            )

    def desechar(self, suscripcion: int, dueno: str, pos: int, motivo: str, intentos: int) -> None:
        with self._escribir(durable=True):
            self._db.execute(
                "INSERT INTO letras_muertas (suscripcion, topico, clave, cabeceras, cuerpo, motivo, intentos, fecha_ms)"
                " SELECT e.suscripcion, t.nombre, m.clave, m.cabeceras, m.cuerpo, ?, ?, ? FROM entregas e"
                " JOIN mensajes m ON m.pos=e.pos JOIN topicos t ON t.id=m.topico"
                " WHERE e.suscripcion=? AND e.pos=? AND e.dueno=?",
                (motivo, intentos, ahora_ms(), suscripcion, pos, dueno),
            )
            self._db.execute(
                "DELETE FROM entregas WHERE suscripcion=? AND pos=? AND dueno=?", (suscripcion, pos, dueno)
            )

    def leer(self, coincide: Callable[[str], bool], pos: int, maximo: int) -> tuple[int, list[Mensaje]]:
        """Lo publicado después de `pos` para todos, y hasta dónde se leyó."""
        topicos = [
            id for id, nombre, ultimo in self._db.execute("SELECT id, nombre, ultimo FROM topicos")
            if ultimo > pos and coincide(nombre)
        ]  # fmt: skip
        mensajes: list[Mensaje] = []
        for fila_pos, _, nombre, clave, cabeceras, cuerpo, destino in heapq.merge(
            *[self._del_topico(topico, pos, maximo) for topico in topicos]
        ):
            if len(mensajes) == maximo:
                break
            pos = fila_pos
            if destino is None:
                mensajes.append(Mensaje(topico=nombre, cuerpo=cuerpo, clave=clave, cabeceras=json.loads(cabeceras)))
        return pos, mensajes

    def pos_desde(self, fecha_ms: int) -> int:
        """La posición tras la cual todo se publicó en `fecha_ms` o después."""
        fila = self._uno("SELECT max(pos) FROM mensajes WHERE fecha_ms<?", (fecha_ms,))
        return int(fila[0]) if fila and fila[0] is not None else 0

    def letras(self, suscripcion: str | None, id: str | None, maximo: int) -> list[LetraMuerta]:
        filas = self._db.execute(
            "SELECT l.id, s.nombre, l.topico, l.clave, l.cabeceras, l.cuerpo, l.motivo, l.intentos, l.fecha_ms"
            " FROM letras_muertas l JOIN suscripciones s ON s.id=l.suscripcion"
            " WHERE (?1 IS NULL OR s.nombre=?1) AND (?2 IS NULL OR l.id=?2) ORDER BY l.id LIMIT ?3",
            (suscripcion, int(id) if id is not None and id.isdecimal() else id, maximo),
        )
        return [
            LetraMuerta(
                id=str(id),
                suscripcion=nombre,
                mensaje=Mensaje(topico=topico, cuerpo=cuerpo, clave=clave, cabeceras=json.loads(cabeceras)),
                motivo=motivo,
                intentos=intentos,
                fecha_ms=fecha,
            )
            for id, nombre, topico, clave, cabeceras, cuerpo, motivo, intentos, fecha in filas
        ]

    def descartar(self, id: str, *, reenviar: bool) -> bool:
        encontradas = self.letras(None, id, 1)
        if not encontradas:
            return False
        letra = encontradas[0]
        with self._escribir(durable=True):
            if self._uno("DELETE FROM letras_muertas WHERE id=? RETURNING suscripcion", (int(id),)) is None:
                return False
            if reenviar:
                fila = self._uno("SELECT id FROM suscripciones WHERE nombre=?", (letra.suscripcion,))
                self._anadir([letra.mensaje], ahora_ms(), destino=fila[0] if fila else None)
        return True

    def purgar(self, antes_ms: int, maximo: int) -> int:
        """Borra hasta `maximo` mensajes viejos que ninguna suscripción espera; devuelve cuántos."""
        with self._escribir():
            suscripciones = [
                (id, compilar_patrones(json.loads(patrones)))
                for id, patrones in self._db.execute("SELECT id, patrones FROM suscripciones")
            ]
            borrados = 0
            topicos: list[Any] = self._db.execute("SELECT id, nombre FROM topicos").fetchall()
            for topico, nombre in topicos:
                limite = min(
                    [self._leido(id, topico) for id, coincide in suscripciones if coincide(nombre)],
                    default=self._ultima_pos(),
                )
                self._db.execute(
                    "DELETE FROM mensajes WHERE pos IN (SELECT pos FROM mensajes WHERE topico=? AND pos<=?"
                    " AND fecha_ms<? AND pos NOT IN (SELECT pos FROM entregas) LIMIT ?)",
                    (topico, limite, antes_ms, maximo - borrados),
                )
                borrados += self._db.changes()
            return borrados

    def _leido(self, suscripcion: int, topico: int) -> int:
        fila = self._uno(
            "SELECT coalesce(c.leido, s.inicio) FROM suscripciones s"
            " LEFT JOIN cursores c ON c.suscripcion=s.id AND c.topico=? WHERE s.id=?",
            (topico, suscripcion),
        )
        return int(fila[0]) if fila else 0

    def _mensaje(self, pos: int) -> Mensaje:
        fila = self._uno(
            "SELECT t.nombre, m.cuerpo, m.clave, m.cabeceras FROM mensajes m JOIN topicos t ON t.id=m.topico"
            " WHERE m.pos=?",
            (pos,),
        )
        if fila is None:
            raise ErrorBroker(f"Falta en el log el mensaje {pos}, que alguien espera: el archivo está dañado")
        return Mensaje(topico=fila[0], cuerpo=fila[1], clave=fila[2], cabeceras=json.loads(fila[3]))

    def _ultima_pos(self) -> int:
        fila = self._uno("SELECT coalesce(max(pos), 0) FROM mensajes")
        return int(fila[0]) if fila else 0

    def _id_topico(self, nombre: str) -> int:
        fila = self._uno(
            "INSERT INTO topicos (nombre, ultimo) VALUES (?, 0) ON CONFLICT DO UPDATE SET nombre=nombre RETURNING id",
            (nombre,),
        )
        assert fila is not None  # noqa: S101 - RETURNING siempre devuelve la fila
        return int(fila[0])

    def _uno(self, sql: str, valores: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        cursor = self._db.execute(sql, valores)
        fila: tuple[Any, ...] | None = cursor.fetchone()
        cursor.close()
        return fila

    @contextmanager
    def _escribir(self, *, durable: bool = False) -> Iterator[None]:
        # Perder en un corte de luz una confirmación sólo repite una entrega; perder una publicación, un mensaje.
        self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # con el disco lleno SQLite ya la deshizo
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _crear(self) -> None:
        with self._escribir(durable=True):
            version = self._uno("PRAGMA user_version")
            if version == (0,):
                self._db.execute(_ESQUEMA)
                self._db.execute(f"PRAGMA user_version={VERSION}")
            elif version is not None and version[0] > VERSION:
                raise ErrorBroker(
                    f"El broker {self._ruta} es de una versión más nueva ({version[0]}) que este código ({VERSION}):"
                    " actualice el código"
                )


def abrir(ruta: str | None) -> apsw.Connection:
    """Una conexión a `ruta`, cuya carpeta se crea si falta."""
    if ruta is not None:
        Path(ruta).parent.mkdir(parents=True, exist_ok=True)
    try:
        db = apsw.Connection(ruta or ":memory:")
        db.set_busy_timeout(_ESPERA_BLOQUEO_MS)
        db.execute("PRAGMA journal_mode=WAL")
    except (apsw.CantOpenError, apsw.IOError) as error:
        raise BrokerNoDisponible(f"No se pudo abrir el broker {ruta}: {error}") from error
    except apsw.NotADBError as error:
        raise ErrorBroker(f"{ruta} existe y no es un broker embebido") from error
    return db


def _a_json(mensaje: Mensaje) -> str:
    return json.dumps(dict(mensaje.cabeceras), ensure_ascii=False)
