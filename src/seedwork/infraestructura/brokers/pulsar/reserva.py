"""Lo que un consumidor de Pulsar tiene sin confirmar, y en qué orden lo da."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pulsar

from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.brokers.pulsar.manos import Id

_LOTE_BYTES = 4 * 1024 * 1024
_HECHAS_MAXIMO = 20_000  # confirmadas hace poco, por si Pulsar se cae sin haberlo asentado y las repite


@dataclass(slots=True)
class Tomada:
    """Un mensaje que Pulsar dio a este consumidor por uno de sus carriles."""

    id: Id
    carril: int
    consumidor: pulsar.Consumer
    recibido: pulsar.Message
    mensaje: Mensaje
    intentos: int
    vence_ms: int
    sospechosa: bool = False
    orden: int = 0
    en_mano: bool = False

    @property
    def bytes(self) -> int:
        return len(self.mensaje.cuerpo)


class Reserva:
    """Da por orden de llegada, que en cada carril es el de Pulsar; lo devuelto vuelve a su sitio."""

    def __init__(self) -> None:
        self.tengo: dict[Id, Tomada] = {}
        self.bytes = 0
        self.en_mano: Counter[int] = Counter()  # por carril
        self._por_dar: list[tuple[int, Tomada]] = []
        self._hechas: dict[Id, None] = {}
        self._llegadas = 0

    def hecha(self, id: Id) -> bool:
        """Si se confirmó hace poco."""
        return id in self._hechas

    def tiene(self, tomada: Tomada) -> bool:
        return self.tengo.get(tomada.id) is tomada

    def tomar(self, tomadas: Iterable[Tomada]) -> None:
        """Las tiene, pero aún no las da."""
        for tomada in tomadas:
            self._llegadas += 1
            tomada.orden = self._llegadas
            self.tengo[tomada.id] = tomada
            self.bytes += tomada.bytes

    def poner(self, tomada: Tomada) -> None:
        """Ya se puede dar, o dar otra vez."""
        self._soltar_la_mano(tomada)
        heapq.heappush(self._por_dar, (tomada.orden, tomada))

    def sacar(self, maximo: int, excepto: Collection[str]) -> list[Tomada]:
        """Las primeras, que siguen sin confirmar; ninguna de las claves de `excepto`."""
        tomadas: list[Tomada] = []
        apartadas: list[tuple[int, Tomada]] = []
        ocupados = 0
        while self._por_dar and len(tomadas) < maximo and ocupados < _LOTE_BYTES:
            puesta = heapq.heappop(self._por_dar)
            tomada = puesta[1]
            if tomada.mensaje.clave is not None and tomada.mensaje.clave in excepto:
                apartadas.append(puesta)
            else:
                tomadas.append(tomada)
                tomada.en_mano = True
                self.en_mano[tomada.carril] += 1
                ocupados += tomada.bytes
        for puesta in apartadas:
            heapq.heappush(self._por_dar, puesta)
        return tomadas

    def por_dar(self, excepto: Collection[str] = ()) -> int:
        """Cuántas se pueden dar, sin contar las de esas claves."""
        if not excepto:
            return len(self._por_dar)
        return sum(tomada.mensaje.clave not in excepto for _, tomada in self._por_dar)

    def soltar(self, tomada: Tomada) -> bool:
        """Deja de tenerla, porque se confirmó; False si ya no la tenía."""
        if not self.tiene(tomada):
            return False
        self.olvidar(tomada)
        self._hechas[tomada.id] = None
        if len(self._hechas) > _HECHAS_MAXIMO:
            del self._hechas[next(iter(self._hechas))]
        return True

    def retirar(self, carril: int) -> None:
        """Olvida lo que no se haya dado de un carril: Pulsar lo dará, en orden, a quien lo atienda."""
        for tomada in [suya for suya in self.tengo.values() if suya.carril == carril and not suya.en_mano]:
            self.olvidar(tomada)
        self._por_dar = [puesta for puesta in self._por_dar if puesta[1].carril != carril]
        heapq.heapify(self._por_dar)

    def vaciar(self) -> None:
        self.tengo.clear()
        self.en_mano.clear()
        self._por_dar.clear()

    def olvidar(self, tomada: Tomada) -> None:
        """Deja de tenerla sin haberla confirmado."""
        del self.tengo[tomada.id]
        self.bytes -= tomada.bytes
        self._soltar_la_mano(tomada)

    def _soltar_la_mano(self, tomada: Tomada) -> None:
        if tomada.en_mano:
            tomada.en_mano = False
            self.en_mano[tomada.carril] -= 1
