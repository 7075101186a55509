"""Las letras muertas en Redis: los campos tal como estaban en el stream, y aparte por qué se apartaron."""

from __future__ import annotations

from urllib.parse import unquote

from seedwork.infraestructura.brokers import LetraMuerta
from seedwork.infraestructura.brokers.redis import guiones
from seedwork.infraestructura.brokers.redis.conexion import Conexion
from seedwork.infraestructura.brokers.redis.formato import a_mensaje
from seedwork.infraestructura.brokers.redis.suscripcion import escrito

_CIFRAS_MAXIMO = 15


class LetrasMuertasRedis:
    """Las de todas las suscripciones de un prefijo, numeradas en el orden en que se apartaron."""

    def __init__(self, conexion: Conexion) -> None:
        self._conexion = conexion

    async def listar(self, suscripcion: str | None = None, *, maximo: int = 100) -> list[LetraMuerta]:
        if maximo < 1:
            return []
        return await self._leer("" if suscripcion is None else escrito(suscripcion), maximo, "")

    async def ver(self, id: str) -> LetraMuerta | None:
        encontradas = await self._leer("", 1, id) if _es_id(id) else []
        return encontradas[0] if encontradas else None

    async def reenviar(self, id: str) -> bool:
        return await self._decidir(guiones.REENVIAR, id)

    async def descartar(self, id: str) -> bool:
        return await self._decidir(guiones.DESCARTAR, id)

    async def _decidir(self, guion: guiones.Guion, id: str) -> bool:
        letra = await self.ver(id)
        return letra is not None and bool(await self._conexion.correr(guion, escrito(letra.suscripcion), "", id))

    async def _leer(self, suscripcion: str, maximo: int, id: str) -> list[LetraMuerta]:
        letras = await self._conexion.correr(guiones.LETRAS, suscripcion, maximo, id)
        return [
            LetraMuerta(
                id=numero.decode(),
                suscripcion=unquote(nombre.decode()),
                mensaje=a_mensaje(topico.decode(errors="replace"), campos),
                motivo=motivo.decode(),
                intentos=int(intentos),
                fecha_ms=int(fecha_ms),
            )
            for numero, (nombre, topico, motivo, intentos, fecha_ms), campos in letras
        ]


def _es_id(id: str) -> bool:
    return id.isascii() and id.isdecimal() and len(id) <= _CIFRAS_MAXIMO and id[0] != "0"
