"""El reparto de eventos: un anillo en memoria que cada cliente lee desde su propia posición.

Repetir lo perdido y seguir en vivo son la misma lectura del mismo anillo, así que entre lo uno y lo otro no
caben ni huecos ni repetidos; y como un cliente es sólo una posición, el que no lee no acumula nada.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import structlog

VENTANA_EVENTOS = 1_000
"""Cuántos de los últimos eventos puede pedir de nuevo quien se reconecta con `?desde=`."""
ATRASO_MAXIMO_EVENTOS = 2_000
"""La cola de cada cliente: cuánto puede ir por detrás del último evento antes de quedar fuera."""
IDS_RECORDADOS = 20_000
"""Cuántos ids se reconocen como ya vistos cuando la fuente, al reabrirse, vuelve a empezar un rato atrás."""
EVENTO_MAXIMO_BYTES = 64 * 1024
"""Con esto, y `ATRASO_MAXIMO_EVENTOS`, el anillo no pasa de 128 MiB por grande que sea lo que llegue."""

_registro = structlog.get_logger(__name__)


class Rezagado(Exception):
    """El anillo dio la vuelta antes de que el cliente leyera."""


@dataclass(frozen=True, slots=True)
class Entrada:
    """Un evento ya convertido, una sola vez, en los bytes que recibe cada cliente."""

    id: str
    id_reserva: str | None
    trama: bytes


class Difusion:
    """Guarda los últimos eventos y despierta a quienes los leen. Vive en un solo event loop."""

    def __init__(
        self,
        ventana: int = VENTANA_EVENTOS,
        atraso_maximo: int = ATRASO_MAXIMO_EVENTOS,
        ids_recordados: int = IDS_RECORDADOS,
    ) -> None:
        if not 0 < ventana <= atraso_maximo <= ids_recordados:
            raise ValueError("Debe cumplirse 0 < ventana <= atraso_maximo <= ids_recordados")
        self.ventana = ventana
        self._capacidad = atraso_maximo
        self._ids_recordados = ids_recordados
        self._anillo: list[Entrada | None] = [None] * atraso_maximo
        self._secuencias: dict[str, int] = {}
        self._fin = 0
        self._lectores: set[Lector] = set()

    def __len__(self) -> int:
        """Cuántos eventos hay ahora en la ventana."""
        return min(self._fin, self.ventana)

    def publicar(self, evento: Mapping[str, Any]) -> Entrada | None:
        """Reparte un CloudEvent y da su entrada; no espera a nadie.

        Devuelve None, sin error, si ya se había visto o si no es un evento que se pueda repartir (queda registrado):
        un mensaje malo no detiene a los que vienen detrás.
        """
        id_evento = evento.get("id")
        if isinstance(id_evento, str) and id_evento in self._secuencias:
            return None
        try:
            entrada = _entrada(evento)
        except (TypeError, ValueError, RecursionError) as error:
            _registro.error("evento_no_repartido", id=str(id_evento)[:100], motivo=str(error))
            return None
        self.repartir(entrada)
        return entrada

    def repartir(self, entrada: Entrada) -> None:
        """Como `publicar`, con la entrada de otro anillo: el evento está en los dos y una vez en memoria."""
        if entrada.id in self._secuencias:
            return
        self._anillo[self._fin % self._capacidad] = entrada
        self._secuencias[entrada.id] = self._fin
        self._fin += 1
        if len(self._secuencias) > self._ids_recordados:
            del self._secuencias[next(iter(self._secuencias))]
        for lector in self._lectores:
            lector.novedad.set()

    def abrir(self, desde: str | None = None, id_reserva: str | None = None) -> "Lector":
        """Un lector nuevo: en vivo si `desde` es None; la ventana entera si es vacío; si no, lo posterior a ese id.

        Si ya no se puede saber qué siguió a ese id, el lector lo dice en `hubo_hueco` y empieza por la ventana entera.
        """
        inicio_ventana = max(0, self._fin - self.ventana)
        if desde is None:
            return Lector(self, self._fin, id_reserva)
        if desde == "":
            return Lector(self, inicio_ventana, id_reserva)
        secuencia = self._secuencias.get(desde, -1)
        hubo_hueco = secuencia < 0 or secuencia + 1 < inicio_ventana
        return Lector(self, inicio_ventana if hubo_hueco else secuencia + 1, id_reserva, hubo_hueco)

    def en(self, posicion: int) -> Entrada | None:
        """Lo que hay en esa posición, o None si todavía no ha llegado.

        Raises:
            Rezagado: esa posición ya fue sobrescrita.
        """
        if posicion < self._fin - self._capacidad:
            raise Rezagado(f"va más de {self._capacidad} eventos por detrás")
        return self._anillo[posicion % self._capacidad] if posicion < self._fin else None

    def inscribir(self, lector: "Lector") -> None:
        self._lectores.add(lector)

    def retirar(self, lector: "Lector") -> None:
        self._lectores.discard(lector)


class Lector:
    """La posición de un cliente en el anillo. Recibe novedades mientras dura su `with`."""

    def __init__(self, difusion: Difusion, posicion: int, id_reserva: str | None, hubo_hueco: bool = False) -> None:
        self.ventana = difusion.ventana
        self._difusion = difusion
        self._posicion = posicion
        self.id_reserva = id_reserva
        self.hubo_hueco = hubo_hueco
        self.novedad = asyncio.Event()

    def __enter__(self) -> Self:
        self._difusion.inscribir(self)
        return self

    def __exit__(self, tipo: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._difusion.retirar(self)

    async def siguiente(self) -> Entrada:
        """La próxima entrada que le interesa; espera hasta que la haya.

        El filtro se mira al entregar cada una, de modo que una suscripción vale desde el evento siguiente.

        Raises:
            Rezagado: no leyó a tiempo y lo que seguía ya no está.
        """
        while True:
            self.novedad.clear()
            while (entrada := self._difusion.en(self._posicion)) is not None:
                self._posicion += 1
                if self.id_reserva is None or entrada.id_reserva == self.id_reserva:
                    return entrada
            await self.novedad.wait()


def _entrada(evento: Mapping[str, Any]) -> Entrada:
    for atributo in ("id", "type", "source"):
        if not isinstance(evento.get(atributo), str) or not evento[atributo]:
            raise ValueError(f"le falta el atributo {atributo}")
    trama = json.dumps(dict(evento), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    if len(trama) > EVENTO_MAXIMO_BYTES:
        raise ValueError(f"ocupa {len(trama)} bytes y el máximo es {EVENTO_MAXIMO_BYTES}")
    return Entrada(evento["id"], _id_reserva(evento), trama)


def _id_reserva(evento: Mapping[str, Any]) -> str | None:
    datos = evento.get("data")
    del_dato = datos.get("id_reserva") if isinstance(datos, Mapping) else None
    id_reserva = del_dato or evento.get("subject")
    return id_reserva.lower() if isinstance(id_reserva, str) else None
