"""Lo que un consumidor de Pulsar tiene sin confirmar, y en qué orden lo da."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from dataclasses import dataclass

import pulsar

from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.brokers.pulsar.manos import Id

_LOTE_BYTES = 4 * 1024 * 1024
_HECHAS_MAXIMO = 20_000  # confirmadas hace poco, por si Pulsar se cae sin haberlo asentado y las repite

_Clave = tuple[str, str | None]  # tópico y clave


@dataclass(slots=True)
class Tomada:
    """Un mensaje que Pulsar dio a este consumidor."""

    id: Id
    consumidor: pulsar.Consumer
    recibido: pulsar.Message
    mensaje: Mensaje
    intentos: int
    vence_ms: int
    sospechosa: bool = False
    orden: int = 0

    @property
    def bytes(self) -> int:
        return len(self.mensaje.cuerpo)

    @property
    def clave(self) -> _Clave:
        return self.id.topico, self.mensaje.clave


class Reserva:
    """Da por orden de llegada, salvo lo de una clave: eso, por su lugar en el tópico.

    Cuando un consumidor se va, Pulsar puede dar antes lo posterior, que estaba leyendo, y luego lo que aquél tenía.
    """

    def __init__(self) -> None:
        self.tengo: dict[Id, Tomada] = {}
        self.bytes = 0
        self._por_dar: list[tuple[int, Tomada]] = []
        self._hechas: dict[Id, None] = {}
        self._ultimas: dict[str, Id] = {}
        self._llegadas = 0

    def hecha(self, id: Id) -> bool:
        """Si se confirmó hace poco."""
        return id in self._hechas

    def tiene(self, tomada: Tomada) -> bool:
        return self.tengo.get(tomada.id) is tomada

    def tomar(self, tomadas: Collection[Tomada]) -> None:
        """Las tiene, pero aún no las da."""
        atrasadas: set[_Clave] = set()
        for tomada in tomadas:
            self._llegadas += 1
            tomada.orden = self._llegadas
            self.tengo[tomada.id] = tomada
            self.bytes += tomada.bytes
            if tomada.id < self._ultimas.setdefault(tomada.id.topico, tomada.id):
                atrasadas.add(tomada.clave)
            else:
                self._ultimas[tomada.id.topico] = tomada.id
        if atrasadas:
            self._ordenar(atrasadas)

    def _ordenar(self, claves: Collection[_Clave]) -> None:
        por_clave: dict[_Clave, list[Tomada]] = {clave: [] for clave in claves}
        for tomada in self.tengo.values():
            if (suyas := por_clave.get(tomada.clave)) is not None:
                suyas.append(tomada)
        for suyas in por_clave.values():
            ordenes = sorted(tomada.orden for tomada in suyas)
            for tomada, orden in zip(sorted(suyas, key=lambda suya: suya.id), ordenes, strict=True):
                tomada.orden = orden
        self._por_dar = [(tomada.orden, tomada) for _, tomada in self._por_dar]
        heapq.heapify(self._por_dar)

    def poner(self, tomada: Tomada) -> None:
        """Ya se puede dar."""
        heapq.heappush(self._por_dar, (tomada.orden, tomada))

    def sacar(self, maximo: int, excepto: Collection[str]) -> list[Tomada]:
        """Las primeras, que siguen sin confirmar; ninguna de las claves de `excepto`."""
        tomadas: list[Tomada] = []
        apartadas: list[Tomada] = []
        ocupados = 0
        while self._por_dar and len(tomadas) < maximo and ocupados < _LOTE_BYTES:
            _, tomada = heapq.heappop(self._por_dar)
            if tomada.mensaje.clave is not None and tomada.mensaje.clave in excepto:
                apartadas.append(tomada)
            else:
                tomadas.append(tomada)
                ocupados += tomada.bytes
        for apartada in apartadas:
            self.poner(apartada)
        return tomadas

    def por_dar(self, excepto: Collection[str] = ()) -> int:
        """Cuántas se pueden dar, sin contar las de esas claves."""
        if not excepto:
            return len(self._por_dar)
        return sum(tomada.mensaje.clave not in excepto for _, tomada in self._por_dar)

    def soltar(self, tomada: Tomada) -> bool:
        """Deja de tenerla; False si ya no la tenía."""
        if self.tengo.pop(tomada.id, None) is None:
            return False
        self.bytes -= tomada.bytes
        self._hechas[tomada.id] = None
        if len(self._hechas) > _HECHAS_MAXIMO:
            del self._hechas[next(iter(self._hechas))]
        return True

    def vaciar(self) -> None:
        self.tengo.clear()
        self._por_dar.clear()
