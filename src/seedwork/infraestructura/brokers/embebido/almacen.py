"""El SQL del broker embebido: síncrono, y siempre desde un mismo hilo.

El log de mensajes es uno; cada suscripción lleva un cursor por tópico y una fila por mensaje tomado y sin confirmar
(`entregas`). Una clave está en manos de un solo consumidor mientras tenga algo tomado: así se conserva su orden.
"""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from seedwork.infraestructura.brokers import (
    Entrega,
    ErrorBroker,
    LetraMuerta,
    Mensaje,
    compilar_patrones,
)

VERSION = 1
APLICACION = 0x5EED0B  # distingue este archivo de cualquier otro SQLite
VIDA_S = 10.0  # sin latido en este tiempo, lo que tenía un consumidor pasa a otro
RETENIDAS_MAXIMO = 10_000  # entregas apartadas por su clave antes de dejar de avanzar
LOTE_BYTES = 4 * 1024 * 1024  # al pasarlos, un lote se da por lleno
_ESPERA_BLOQUEO_MS = 10_000

_ESQUEMA = """
CREATE TABLE topicos (id INTEGER PRIMARY KEY, nombre TEXT NOT NULL UNIQUE, ultimo INTEGER NOT NULL);
CREATE TABLE mensajes (
    pos INTEGER PRIMARY KEY AUTOINCREMENT, topico INTEGER NOT NULL, fecha_ms INTEGER NOT NULL,
    dirigido INTEGER NOT NULL DEFAULT 0, clave TEXT, cabeceras TEXT NOT NULL, cuerpo BLOB NOT NULL);
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


@dataclass(slots=True)
class _Lote:
    maximo: int
    entregas: list[Entrega] = field(default_factory=list)
    bytes: int = 0

    @property
    def lleno(self) -> bool:
        return len(self.entregas) >= self.maximo or self.bytes >= LOTE_BYTES

    def poner(self, entrega: Entrega) -> None:
        self.entregas.append(entrega)
        self.bytes += len(entrega.mensaje.cuerpo)


class Almacen:
    """Una conexión al log. `ruta=None` es la memoria de este objeto."""

    def __init__(self, ruta: str | None) -> None:
        self._ruta = ruta
        self._db = abrir(ruta)
        try:
            self._crear()
            self._pasar_a_wal()
        except BaseException:
            self._db.close()
            raise

    def cerrar(self) -> None:
        self._db.close()

    def responder(self) -> None:
        """Comprueba que la base contesta."""
        self._uno("SELECT 1 FROM topicos")

    def publicar(self, mensajes: Sequence[Mensaje]) -> None:
        with self._escribir(durable=True):
            self._anadir(mensajes)

    def _anadir(self, mensajes: Sequence[Mensaje], *, dirigido: bool = False) -> int:
        """Añade al log y devuelve la última posición. Lo dirigido no lo ve ningún cursor: va aparte, en `entregas`."""
        fecha = ahora_ms()
        topicos = {nombre: self._id_topico(nombre) for nombre in {mensaje.topico for mensaje in mensajes}}
        self._db.executemany(
            "INSERT INTO mensajes (topico, clave, cabeceras, cuerpo, fecha_ms, dirigido) VALUES (?,?,?,?,?,?)",
            [(topicos[m.topico], m.clave, _a_json(m), m.cuerpo, fecha, dirigido) for m in mensajes],
        )
        # Sin otro escritor, las posiciones del lote son consecutivas y acaban en la última.
        ultima = self._db.last_insert_rowid()
        ultimos = {topicos[m.topico]: pos for pos, m in enumerate(mensajes, ultima - len(mensajes) + 1)}
        self._db.executemany("UPDATE topicos SET ultimo=? WHERE id=?", [(pos, id) for id, pos in ultimos.items()])
        return ultima

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

    def tomar(
        self, suscripcion: int, coincide: Callable[[str], bool], dueno: str, maximo: int, excepto: Collection[str]
    ) -> list[Entrega]:
        """Hasta `maximo` entregas que nadie tenga; primero comprueba, sin escribir, que haya algo."""
        if not self._hay_algo(suscripcion, coincide, dueno):
            return []
        with self._escribir():
            self._enterrar(suscripcion, dueno)
            ajenas: list[Any] = self._db.execute(
                "SELECT DISTINCT clave FROM entregas WHERE suscripcion=? AND dueno IS NOT NULL AND dueno<>?"
                " AND clave IS NOT NULL",
                (suscripcion, dueno),
            ).fetchall()
            bloqueadas: set[str] = set(excepto).union(clave for (clave,) in ajenas)
            lote = _Lote(maximo)
            self._tomar_pendientes(suscripcion, dueno, lote, bloqueadas)
            if not lote.lleno:
                self._tomar_nuevas(suscripcion, coincide, dueno, lote, bloqueadas)
            return lote.entregas

    def proxima_ms(self, suscripcion: int) -> int | None:
        """Cuándo vence la próxima espera de un reintento."""
        fila = self._uno(
            "SELECT min(disponible_ms) FROM entregas WHERE suscripcion=? AND dueno IS NULL AND disponible_ms>0",
            (suscripcion,),
        )
        return None if fila is None or fila[0] is None else int(fila[0])

    def _hay_algo(self, suscripcion: int, coincide: Callable[[str], bool], dueno: str) -> bool:
        ahora = ahora_ms()
        pendiente = self._uno(
            "SELECT 1 FROM entregas WHERE suscripcion=? AND dueno IS NULL AND disponible_ms<=? LIMIT 1",
            (suscripcion, ahora),
        )
        if pendiente or self._uno(
            "SELECT 1 FROM consumidores WHERE suscripcion=? AND vence_ms<? AND id<>? LIMIT 1",
            (suscripcion, ahora, dueno),
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

    def _enterrar(self, suscripcion: int, dueno: str) -> None:
        # A uno mismo no: si su latido se retrasó, sigue vivo y con lo suyo en las manos.
        muertos: list[Any] = self._db.execute(
            "SELECT id FROM consumidores WHERE suscripcion=? AND vence_ms<? AND id<>?",
            (suscripcion, ahora_ms(), dueno),
        ).fetchall()
        for (muerto,) in muertos:
            self._soltar(suscripcion, muerto)

    def _tomar_pendientes(self, suscripcion: int, dueno: str, lote: _Lote, bloqueadas: Collection[str]) -> None:
        ahora = ahora_ms()
        pendientes = self._db.execute(
            "SELECT pos, clave, intentos, sospechosa FROM entregas"
            " WHERE suscripcion=? AND dueno IS NULL AND disponible_ms<=? ORDER BY pos",
            (suscripcion, ahora),
        )
        for pos, clave, intentos, sospechosa in pendientes:
            if lote.lleno:
                break
            if clave not in bloqueadas:
                lote.poner(Entrega(self._mensaje(pos), intentos, bool(sospechosa), pos))
        pendientes.close()
        self._db.executemany(
            "UPDATE entregas SET dueno=?, disponible_ms=0 WHERE suscripcion=? AND pos=?",
            [(dueno, suscripcion, entrega.referencia) for entrega in lote.entregas],
        )

    def _tomar_nuevas(
        self, suscripcion: int, coincide: Callable[[str], bool], dueno: str, lote: _Lote, bloqueadas: set[str]
    ) -> None:
        # Una clave con algo retenido sin dueño sigue retenida: lo nuevo va detrás.
        retenidas: list[Any] = self._db.execute(
            "SELECT clave FROM entregas WHERE suscripcion=? AND dueno IS NULL AND disponible_ms=0 LIMIT ?",
            (suscripcion, RETENIDAS_MAXIMO),
        ).fetchall()
        bloqueadas |= {clave for (clave,) in retenidas if clave is not None}
        cupo_retenidas = RETENIDAS_MAXIMO - len(retenidas)
        leidos: dict[int, int] = {}
        nuevas = []
        atrasados = {topico: leido for topico, leido, ultimo in self._cursores(suscripcion, coincide) if leido < ultimo}
        for pos, topico, dirigido, mensaje in self._del_log(atrasados):
            retener = mensaje.clave in bloqueadas
            if lote.lleno or (retener and not dirigido and cupo_retenidas == 0):
                break
            leidos[topico] = pos
            if dirigido:
                continue
            nuevas.append((suscripcion, pos, mensaje.clave, None if retener else dueno))
            if retener:
                cupo_retenidas -= 1
            else:
                lote.poner(Entrega(mensaje, 0, False, pos))
        self._db.executemany("INSERT INTO entregas (suscripcion, pos, clave, dueno) VALUES (?,?,?,?)", nuevas)
        self._db.executemany(
            "INSERT INTO cursores VALUES (?,?,?) ON CONFLICT DO UPDATE SET leido=excluded.leido",
            [(suscripcion, topico, leido) for topico, leido in leidos.items()],
        )

    def _del_log(self, desde: Mapping[int, int]) -> Iterator[tuple[int, int, bool, Mensaje]]:
        """En orden, lo que sigue a cada posición de cada tópico. Una fila a la vez: los cuerpos pueden ser grandes."""
        cursores = [
            self._db.execute(
                "SELECT m.pos, m.topico, m.dirigido, t.nombre, m.cuerpo, m.clave, m.cabeceras FROM mensajes m"
                " JOIN topicos t ON t.id=m.topico WHERE m.topico=? AND m.pos>? ORDER BY m.pos",
                (topico, pos),
            )
            for topico, pos in desde.items()
        ]
        for pos, topico, dirigido, *mensaje in heapq.merge(*cursores):
            yield pos, topico, bool(dirigido), _a_mensaje(*mensaje)

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

    def devolver(self, suscripcion: int, dueno: str, entregas: Sequence[Entrega]) -> None:
        with self._escribir():
            self._db.executemany(
                "UPDATE entregas SET dueno=NULL, intentos=? WHERE suscripcion=? AND pos=? AND dueno=?",
                [(entrega.intentos, suscripcion, entrega.referencia, dueno) for entrega in entregas],
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
        mensajes: list[Mensaje] = []
        leidos_bytes = 0
        with self._transaccion("BEGIN"):  # una sola foto: sin ella, otro tópico podría adelantar la posición
            topicos: list[Any] = self._db.execute("SELECT id, nombre FROM topicos WHERE ultimo>?", (pos,)).fetchall()
            for fila_pos, _, dirigido, mensaje in self._del_log(
                {id: pos for id, nombre in topicos if coincide(nombre)}
            ):
                if len(mensajes) == maximo or leidos_bytes >= LOTE_BYTES:
                    break
                pos = fila_pos
                if not dirigido:
                    mensajes.append(mensaje)
                    leidos_bytes += len(mensaje.cuerpo)
        return pos, mensajes

    def pos_desde(self, fecha_ms: int) -> int:
        """La posición tras la cual todo se publicó en `fecha_ms` o después."""
        fila = self._uno("SELECT max(pos) FROM mensajes WHERE fecha_ms<?", (fecha_ms,))
        return int(fila[0]) if fila and fila[0] is not None else 0

    def letras(self, suscripcion: str | None, id: str | None, maximo: int) -> list[LetraMuerta]:
        filas = self._db.execute(
            "SELECT l.id, s.nombre, l.motivo, l.intentos, l.fecha_ms, l.topico, l.cuerpo, l.clave, l.cabeceras"
            " FROM letras_muertas l JOIN suscripciones s ON s.id=l.suscripcion"
            " WHERE (?1 IS NULL OR s.nombre=?1) AND (?2 IS NULL OR CAST(l.id AS TEXT)=?2) ORDER BY l.id LIMIT ?3",
            (suscripcion, id, maximo),
        )
        return [
            LetraMuerta(
                id=str(id),
                suscripcion=nombre,
                motivo=motivo,
                intentos=intentos,
                fecha_ms=fecha_ms,
                mensaje=_a_mensaje(*mensaje),
            )
            for id, nombre, motivo, intentos, fecha_ms, *mensaje in filas
        ]

    def descartar(self, id: str) -> bool:
        with self._escribir(durable=True):
            return self._uno("DELETE FROM letras_muertas WHERE CAST(id AS TEXT)=? RETURNING id", (id,)) is not None

    def reenviar(self, id: str) -> bool:
        with self._escribir(durable=True):
            fila = self._uno(
                "DELETE FROM letras_muertas WHERE CAST(id AS TEXT)=? RETURNING suscripcion, topico, cuerpo, clave,"
                " cabeceras",
                (id,),
            )
            if fila is None:
                return False
            suscripcion, *mensaje = fila
            letra = _a_mensaje(*mensaje)
            pos = self._anadir([letra], dirigido=True)
            self._db.execute(
                "INSERT INTO entregas (suscripcion, pos, clave) VALUES (?,?,?)", (suscripcion, pos, letra.clave)
            )
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
        return _a_mensaje(*fila)

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

    def _escribir(self, *, durable: bool = False) -> AbstractContextManager[None]:
        # Perder en un corte de luz una confirmación sólo repite una entrega; perder una publicación, un mensaje.
        self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        return self._transaccion("BEGIN IMMEDIATE")

    @contextmanager
    def _transaccion(self, comienzo: str) -> Iterator[None]:
        self._db.execute(comienzo)
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # con el disco lleno SQLite ya la deshizo
                self._db.execute("ROLLBACK")
            raise

    def _crear(self) -> None:
        with self._escribir(durable=True):
            aplicacion, version, tablas = (
                self._uno(consulta)
                for consulta in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
            )
            if tablas == (0,):
                self._db.execute(_ESQUEMA)
                self._db.execute(f"PRAGMA application_id={APLICACION}")
                self._db.execute(f"PRAGMA user_version={VERSION}")
            elif aplicacion != (APLICACION,):
                raise ErrorBroker(f"{self._ruta} es una base SQLite de otra cosa, no un broker embebido")
            elif version is not None and version[0] > VERSION:
                raise ErrorBroker(
                    f"El broker {self._ruta} es de una versión más nueva ({version[0]}) que este código ({VERSION}):"
                    " actualice el código"
                )

    def _pasar_a_wal(self) -> None:
        # Cambiar de diario no espera turno como una escritura: si otro abre a la vez, falla al instante.
        limite = time.monotonic() + _ESPERA_BLOQUEO_MS / 1000
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                return
            except apsw.BusyError:
                if time.monotonic() > limite:
                    raise
            time.sleep(0.005)


def abrir(ruta: str | None) -> apsw.Connection:
    """Una conexión a `ruta`, cuya carpeta se crea si falta."""
    try:
        if ruta is not None:
            Path(ruta).parent.mkdir(parents=True, exist_ok=True)
        db = apsw.Connection(ruta or ":memory:")
    except (OSError, apsw.CantOpenError) as error:
        raise ErrorBroker(f"No se puede abrir el broker {ruta}: {error}") from error
    db.set_busy_timeout(_ESPERA_BLOQUEO_MS)
    return db


def _a_json(mensaje: Mensaje) -> str:
    return json.dumps(dict(mensaje.cabeceras), ensure_ascii=False)


def _a_mensaje(topico: str, cuerpo: bytes, clave: str | None, cabeceras: str) -> Mensaje:
    return Mensaje(topico=topico, cuerpo=cuerpo, clave=clave, cabeceras=json.loads(cabeceras))
