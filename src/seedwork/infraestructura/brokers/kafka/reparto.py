"""Lo que un consumidor tiene en memoria: lo leído, en qué orden se da, y qué falta por guardar.

Lo comparten el hilo que lee y el event loop; todo pasa bajo `candado` y nada de aquí espera a la red.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import count, groupby, islice
from typing import Any

from confluent_kafka import Message

from seedwork.infraestructura.brokers import Entrega
from seedwork.infraestructura.brokers.kafka.asiento import Asiento, escribir
from seedwork.infraestructura.brokers.kafka.particion import SIN_POSICION, Crudo, Particion, Registro

COLA_MAXIMO = 4_000
VENTANA = 10_000  # lo más que se lee de una partición más allá de lo primero sin terminar
APARTADAS_MAXIMO = 10_000
ANOTADAS_MAXIMO = 64  # esperas y cuentas de una partición que caben en sus metadatos
_MB = 1024 * 1024
LOTE_BYTES, COLA_BYTES, ESPERA_BYTES, VIVO_BYTES = 4 * _MB, 16 * _MB, 32 * _MB, 96 * _MB
_TANDA = 64  # seguidas de una misma partición antes de pasar a otra

Cual = tuple[str, int]
Guardado = tuple[Particion, int, str, int]


def ahora_ms() -> int:
    return time.time_ns() // 1_000_000


class Reparto:
    """El estado de un consumidor. `dueno` lo distingue de los demás en lo que guarda."""

    def __init__(self, dueno: str, topico_reintentos: str) -> None:
        self._dueno = dueno
        self._topico_reintentos = topico_reintentos
        self.candado = threading.RLock()
        self._particiones: dict[Cual, Particion] = {}
        self._perdidas: dict[Cual, Particion] = {}
        self._turnos: deque[Particion] = deque()
        self._apartadas: dict[str | None, deque[Registro]] = {}  # por clave: van antes que lo nuevo de ella
        self._n_apartadas = self._bytes_apartados = 0
        self._esperando: list[tuple[int, int, Registro]] = []
        self._numero = count()
        self._bytes_espera = 0
        self._en_cola = self._bytes_en_cola = self._bytes_vivos = 0
        self._adelanto = 0  # cuántas más de cada partición se darán en seguida

    # --- particiones que entran y salen -----------------------------------------------------------------------------

    def asignar(self, asientos: Iterable[tuple[str, int, Asiento]]) -> list[tuple[str, int, int]]:
        """Desde dónde leer cada una. La que se perdió y nadie tocó entretanto sigue como estaba."""
        desde = []
        with self.candado:
            for topico, numero, asiento in asientos:
                cual = (topico, numero)
                particion = self._perdidas.pop(cual, None)
                if particion is not None and asiento.base != SIN_POSICION and asiento.dueno != self._dueno:
                    self._abandonar(particion)
                    particion = None
                particion = particion or Particion(topico, numero, asiento, con_sobre=topico == self._topico_reintentos)
                self._reanudar(particion)
                self._particiones[cual] = particion
                desde.append((topico, numero, particion.leido))
        return desde

    def _reanudar(self, particion: Particion) -> None:
        particion.reparte, particion.sucia = True, bool(particion.orden)
        self._turnos.append(particion)
        for registro in particion.orden:
            if not registro.hecha and not registro.en_mano:
                self._encolar(registro)

    def perder(self, cuales: Iterable[Cual]) -> None:
        """Otro puede tenerlas ya: no se da ni se guarda nada más de ellas, salvo que vuelvan."""
        with self.candado:
            for cual in cuales:
                if (particion := self._particiones.pop(cual, None)) is not None:
                    self._dejar_de_dar(particion)
                    self._perdidas[cual] = particion

    def soltar_particiones(self, cuales: Iterable[Cual]) -> list[Particion]:
        """Deja de dar lo suyo; siguen siendo de este consumidor hasta `olvidar`."""
        with self.candado:
            salen = [self._particiones[cual] for cual in cuales if cual in self._particiones]
            for particion in salen:
                self._dejar_de_dar(particion)
            return salen

    def olvidar(self, particiones: Iterable[Particion]) -> None:
        with self.candado:
            for particion in particiones:
                self._particiones.pop((particion.topico, particion.numero), None)
                self._abandonar(particion)

    def _abandonar(self, particion: Particion) -> None:
        """Lo que quede de ella en alguna mano ya es de otro: responder por ello no hace nada."""
        for registro in particion.orden:
            if not registro.hecha:
                registro.en_mano = False
                self._bytes_vivos -= registro.tamano
        particion.en_mano = 0

    def todas(self) -> list[Cual]:
        with self.candado:
            return list(self._particiones)

    def _dejar_de_dar(self, particion: Particion) -> None:
        particion.reparte = False
        if particion in self._turnos:
            self._turnos.remove(particion)
        self._en_cola -= particion.por_dar
        self._bytes_en_cola -= sum(r.tamano for r in particion.cola)
        sin_abrir = particion.soltar()
        self._bytes_en_cola -= sin_abrir
        self._bytes_vivos -= sin_abrir
        for clave in list(self._apartadas):
            for registro in (carril := self._apartadas[clave]):
                if registro.particion is particion:
                    self._n_apartadas -= 1
                    self._bytes_apartados -= registro.tamano
            quedan = deque(r for r in carril if r.particion is not particion)
            if quedan:
                self._apartadas[clave] = quedan
            else:
                del self._apartadas[clave]
        for _, _, registro in self._esperando:
            if registro.particion is particion:
                self._bytes_espera -= registro.tamano
        self._esperando = [e for e in self._esperando if e[2].particion is not particion]
        heapq.heapify(self._esperando)

    # --- leer -------------------------------------------------------------------------------------------------------

    def entrar(self, brutos: Sequence[Crudo]) -> None:
        with self.candado:
            for cual, tanda in _por_particion(brutos):
                particion = self._particiones.get(cual)
                if particion is not None and particion.reparte:
                    for trozo in [tanda] if particion.sigue(tanda) else [[bruto] for bruto in tanda]:
                        self._leer(particion, trozo)

    def _leer(self, particion: Particion, tanda: list[Crudo]) -> None:
        if (offset := tanda[0].offset()) < particion.leido:
            if offset > 0:
                return  # repetido
            self._empezar_otra_vez(particion)
        crudos, abiertos = particion.leer(tanda)
        tamano = sum(map(len, crudos))
        self._en_cola += len(crudos)
        self._bytes_en_cola += tamano
        self._bytes_vivos += tamano
        for registro in abiertos:
            self._bytes_vivos += registro.tamano
            self._encolar(registro)

    def _empezar_otra_vez(self, particion: Particion) -> None:
        self._dejar_de_dar(particion)
        self._abandonar(particion)
        particion.empezar_otra_vez()
        particion.reparte = True
        self._turnos.append(particion)

    def _encolar(self, registro: Registro) -> None:
        if registro.vence_ms > 0 and registro.vence_ms > ahora_ms():
            self._esperar(registro)
        else:
            if registro.vence_ms:
                registro.vence_ms = 0
            registro.particion.cola.append(registro)
            self._en_cola += 1
            self._bytes_en_cola += registro.tamano

    def _esperar(self, registro: Registro) -> None:
        heapq.heappush(self._esperando, (registro.vence_ms, next(self._numero), registro))
        self._bytes_espera += registro.tamano

    @property
    def ocupado(self) -> bool:
        """Si hay algo por dar o en manos de alguien."""
        with self.candado:
            return self._en_cola > 0 or any(particion.en_mano for particion in self._particiones.values())

    @property
    def lleno(self) -> bool:
        return self._en_cola >= COLA_MAXIMO or self._bytes_en_cola >= COLA_BYTES or self._bytes_vivos >= VIVO_BYTES

    @property
    def holgado(self) -> bool:
        """Si, tras haberse llenado, vuelve a haber sitio de sobra."""
        return (
            self._en_cola <= COLA_MAXIMO // 2
            and self._bytes_en_cola <= COLA_BYTES // 2
            and self._bytes_vivos < VIVO_BYTES
        )

    def en_pausa(self, *, todas: bool) -> set[Cual]:
        """De cuáles no conviene leer más por ahora."""
        with self.candado:
            muchas_esperas = self._bytes_espera >= ESPERA_BYTES or len(self._esperando) >= VENTANA
            return {
                cual
                for cual, particion in self._particiones.items()
                if todas
                or particion.leidas >= VENTANA
                or (muchas_esperas and particion.topico == self._topico_reintentos)
            }

    # --- dar --------------------------------------------------------------------------------------------------------

    def tomar(self, maximo: int, excepto: Collection[str]) -> tuple[list[Registro], bool]:
        """Hasta `maximo`, y si antes de darlas hay que guardar que se dieron."""
        lote: list[Registro] = []
        with self.candado:
            self._vencer()
            cabe = LOTE_BYTES
            for clave in [clave for clave in self._apartadas if clave not in excepto]:
                carril = self._apartadas[clave]
                while carril and len(lote) < maximo and cabe > 0:
                    registro = carril.popleft()
                    self._n_apartadas -= 1
                    self._bytes_apartados -= registro.tamano
                    if not registro.hecha:
                        cabe -= registro.tamano
                        lote.append(registro)
                if not carril:
                    del self._apartadas[clave]
            self._nuevas(lote, maximo, cabe, excepto)
            self._adelanto = 2 * maximo if len(lote) >= maximo else 0
            return lote, self._dar(lote)

    def _nuevas(self, lote: list[Registro], maximo: int, cabe: int, excepto: Collection[str]) -> None:
        """Saca de las colas lo que se pueda dar, por turnos."""
        self._turnos.rotate(-1)
        activas = [particion for particion in self._turnos if particion.por_dar]
        while activas:
            for particion in activas:
                if len(lote) >= maximo or cabe <= 0:
                    return
                cabe -= self._tanda(particion, lote, min(_TANDA, maximo - len(lote)), cabe, excepto)
                if self._n_apartadas >= APARTADAS_MAXIMO or self._bytes_apartados >= ESPERA_BYTES:
                    return
            activas = [particion for particion in activas if particion.por_dar]

    def _tanda(
        self, particion: Particion, lote: list[Registro], maximo: int, cabe: int, excepto: Collection[str]
    ) -> int:
        """Los bytes que pasaron al lote."""
        apartadas = self._apartadas
        todas = not (excepto or apartadas)
        antes, sacados, pasados = particion.por_dar, 0, 0
        for registro in particion.sacar(maximo):
            sacados += registro.tamano
            if todas or (clave := registro.clave) is None or not (clave in excepto or clave in apartadas):
                lote.append(registro)
                pasados += registro.tamano
                if pasados >= cabe:
                    break
            else:
                self._al_carril(registro)
        self._en_cola -= antes - particion.por_dar
        self._bytes_en_cola -= sacados
        return pasados

    def _al_carril(self, registro: Registro) -> None:
        self._apartadas.setdefault(registro.clave, deque()).append(registro)
        self._n_apartadas += 1
        self._bytes_apartados += registro.tamano

    def _vencer(self) -> None:
        ahora = ahora_ms()
        vencidas = []
        while self._esperando and self._esperando[0][0] <= ahora:
            _, _, registro = heapq.heappop(self._esperando)
            registro.vence_ms = 0
            self._bytes_espera -= registro.tamano
            if not registro.hecha:
                vencidas.append(registro)
        self._apartar(vencidas)

    def _apartar(self, registros: Sequence[Registro]) -> None:
        """De vuelta, en su sitio: delante de lo que se leyó después."""
        claves = {registro.clave for registro in registros}
        for registro in registros:
            self._al_carril(registro)
        for clave in claves:
            self._apartadas[clave] = deque(sorted(self._apartadas[clave], key=_posicion))

    def _dar(self, lote: list[Registro]) -> bool:
        sin_guardar = False
        for registro in lote:
            particion = registro.particion
            registro.en_mano = True
            particion.en_mano += 1
            if registro.offset >= particion.asegurado:
                sin_guardar = True
                if registro.offset >= particion.horizonte:
                    particion.horizonte, particion.sucia = registro.offset + 1, True
            if registro.aplazada:
                registro.aplazada, particion.sucia, sin_guardar = False, True, True
        return sin_guardar

    def proxima_ms(self) -> int | None:
        with self.candado:
            return self._esperando[0][0] if self._esperando else None

    # --- responder --------------------------------------------------------------------------------------------------

    def terminar(self, registros: Iterable[Registro]) -> None:
        with self.candado:
            tocadas = set()
            for registro in registros:
                if registro.en_mano:
                    particion = registro.particion
                    particion.en_mano -= 1
                    particion.saltadas += 1
                    tocadas.add(particion)
                    self._bytes_vivos -= registro.tamano
                    registro.en_mano, registro.hecha, registro.bruto = False, True, None
                    if particion.anotadas:
                        particion.anotadas.pop(registro.offset, None)
            for particion in tocadas:
                particion.avanzar()

    def _fuera_de_mano(self, registro: Registro) -> None:
        registro.en_mano = False
        registro.particion.en_mano -= 1

    def iniciar(self, registro: Registro) -> int | None:
        """Los intentos contando éste; None si ya no está en nuestras manos."""
        with self.candado:
            if not registro.en_mano:
                return None
            registro.intentos += 1
            registro.particion.anotar(registro)
            return registro.intentos

    def aplazar(self, registro: Registro, intentos: int, vence_ms: int) -> None:
        with self.candado:
            if not registro.en_mano:
                return
            self._fuera_de_mano(registro)
            registro.intentos, registro.vence_ms = intentos, vence_ms
            registro.sospechosa, registro.aplazada = False, True
            registro.particion.anotar(registro)
            if registro.particion.reparte:
                self._esperar(registro)

    def sin_sitio(self, registro: Registro) -> bool:
        """Si una espera más no cabe aquí: tendrá que irse al tópico de reintentos."""
        with self.candado:
            particion = registro.particion
            return (
                len(particion.anotadas) >= ANOTADAS_MAXIMO
                or particion.leidas > VENTANA // 2
                or self._bytes_espera >= ESPERA_BYTES
            )

    def estorban(self) -> list[tuple[Registro, int]]:
        """Las que esperan y detienen a una partición entera, con su vencimiento; dejan de estar en espera aquí."""
        with self.candado:
            sacadas = []
            for particion in self._turnos:
                orden = particion.orden
                if particion.leidas > VENTANA // 2 and orden and (primera := orden[0]).vence_ms:
                    sacadas.append((primera, primera.vence_ms))
                    primera.vence_ms = 0
            quitadas = {id(registro) for registro, _ in sacadas}
            if quitadas:
                self._esperando = [e for e in self._esperando if id(e[2]) not in quitadas]
                heapq.heapify(self._esperando)
                self._bytes_espera -= sum(registro.tamano for registro, _ in sacadas)
                for registro, _ in sacadas:
                    registro.en_mano = True
                    registro.particion.en_mano += 1
            return sacadas

    def devolver(self, entregas: Iterable[Entrega]) -> bool:
        """Las deja para que se den otra vez; dice si hay que guardar que cambiaron sus intentos."""
        cambian, vuelven = False, []
        with self.candado:
            for entrega in entregas:
                registro: Registro = entrega.referencia
                if not registro.en_mano:
                    continue
                if registro.intentos != entrega.intentos:
                    registro.intentos = entrega.intentos
                    registro.particion.anotar(registro)
                    cambian = True
                self._fuera_de_mano(registro)
                if registro.particion.reparte:
                    vuelven.append(registro)
            self._apartar(vuelven)
        return cambian

    # --- guardar ----------------------------------------------------------------------------------------------------

    def por_guardar(self, solo: Collection[Particion] | None = None, *, final: bool = False) -> list[Guardado]:
        """`(partición, posición, metadatos, horizonte)` de cada una que cambió; se dan por guardadas."""
        with self.candado:
            lote = []
            for particion in list(self._particiones.values() if solo is None else solo):
                if particion.leido == SIN_POSICION or not (particion.sucia or final):
                    continue
                particion.sucia = False
                if self._adelanto and not final:
                    particion.adelantar(self._adelanto)
                asiento = particion.asiento(self._dueno, final=final)
                lote.append((particion, asiento.base, escribir(asiento), particion.horizonte))
            return lote

    def guardado(self, lote: Iterable[Guardado]) -> None:
        with self.candado:
            for particion, _, _, horizonte in lote:
                particion.asegurado = max(particion.asegurado, horizonte)

    def sin_guardar(self, lote: Iterable[Guardado]) -> None:
        with self.candado:
            for particion, *_ in lote:
                particion.sucia = True


def _por_particion(brutos: Sequence[Crudo]) -> Iterator[tuple[Cual, list[Crudo]]]:
    """Los trozos seguidos de una misma partición."""
    quedan = iter(brutos)
    cuales: Iterable[Any] = zip(map(Message.topic, brutos), map(Message.partition, brutos), strict=True)
    for cual, iguales in groupby(cuales):
        yield cual, list(islice(quedan, len(list(iguales))))


def _posicion(registro: Registro) -> tuple[str, int, int]:
    return registro.particion.topico, registro.particion.numero, registro.offset
