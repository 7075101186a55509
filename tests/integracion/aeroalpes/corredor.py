"""El broker de una suite en marcha, mirado y usado desde la prueba."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import apsw

from seedwork.infraestructura.brokers import Broker, LetraMuerta, Mensaje, conectar

T = TypeVar("T")


def _con(datos: Path, funcion: Callable[[Broker], Awaitable[T]]) -> T:
    async def correr() -> T:
        broker = conectar(f"embebido:///{datos}/broker.db")
        try:
            return await funcion(broker)
        finally:
            await broker.cerrar()

    return asyncio.run(correr())


def publicar(datos: Path, *mensajes: Mensaje) -> None:
    """Publica como lo haría un servicio ajeno."""
    _con(datos, lambda broker: broker.publicar(mensajes))


def letras_muertas(datos: Path) -> list[LetraMuerta]:
    return _con(datos, lambda broker: broker.letras_muertas.listar("aeroalpes-sub-comandos"))


def publicados(datos: Path, topico: str, tipo: str) -> list[str]:
    """Los id de lo publicado en un tópico con ese tipo, en orden y con sus repeticiones."""
    consulta = """SELECT json_extract(m.cabeceras, '$.id') FROM mensajes m JOIN topicos t ON t.id = m.topico
                  WHERE t.nombre = ? AND m.dirigido = 0 AND json_extract(m.cabeceras, '$.type') = ? ORDER BY m.pos"""
    return [id for (id,) in _leer(datos / "broker.db", consulta, topico, tipo)]


def al_dia(datos: Path) -> bool:
    """Si todo lo publicado se entregó y se respondió por ello."""
    pendiente = """SELECT (SELECT count(*) FROM entregas) + (SELECT count(*) FROM cursores c
                   JOIN topicos t ON t.id = c.topico WHERE c.leido < t.ultimo)"""
    return _leer(datos / "broker.db", pendiente) == [(0,)]


def consumidores(datos: Path) -> int:
    """Cuántos consumidores hay apuntados en el broker."""
    return len(_leer(datos / "broker.db", "SELECT id FROM consumidores"))


def relevos(datos: Path) -> set[str]:
    """Los relays que llevan algún carril del outbox."""
    return {dueno for (dueno,) in _leer(datos / "aeroalpes.db", "SELECT dueno FROM outbox_carriles") if dueno}


def _leer(ruta: Path, consulta: str, *valores: Any) -> list[Any]:
    with closing(apsw.Connection(str(ruta))) as db:
        db.set_busy_timeout(10_000)
        return list(db.execute(consulta, valores))
