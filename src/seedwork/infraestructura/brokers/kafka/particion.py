"""Una partición asignada: qué se leyó de ella, qué está en manos de alguien y qué se terminó."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Message

from seedwork.infraestructura.brokers import Entrega, Mensaje
from seedwork.infraestructura.brokers.kafka import cabeceras, sobre
from seedwork.infraestructura.brokers.kafka.asiento import Asiento, Rangos, en_rangos

SIN_POSICION = -1

Crudo = Any  # un `Message` leído: su tipo dice que su posición puede faltar, y no falta


class Registro:
    """Un mensaje abierto y sin terminar."""

    __slots__ = (
        "aplazada",
        "brutas",
        "bruto",
        "clave",
        "en_mano",
        "hecha",
        "intentos",
        "offset",
        "particion",
        "sospechosa",
        "tamano",
        "topico",
        "vence_ms",
    )

    def __init__(self, particion: Particion, bruto: Crudo) -> None:
        self.particion = particion
        self.bruto = bruto
        self.offset: int = bruto.offset()
        self.tamano = len(bruto)
        clave = bruto.key()
        self.clave: str | None = None if clave is None else clave.decode("utf-8", "backslashreplace")
        self.topico = particion.topico
        self.brutas: list[cabeceras.Bruta] | None = None  # las del mensaje, si las del bruto llevan un sobre
        self.intentos = self.vence_ms = 0
        self.sospechosa = self.en_mano = self.hecha = False
        self.aplazada = False  # lo guardado dice que nadie la tiene: hay que guardar que ya no es así

    def cabeceras_brutas(self) -> list[cabeceras.Bruta]:
        return (self.bruto.headers() or []) if self.brutas is None else self.brutas

    def sacar_del_sobre(self) -> None:
        datos, brutas = sobre.quitar(self.bruto.headers() or [])
        if datos:
            self.brutas = brutas
            self.topico = str(datos.get("topico", self.topico))
            if self.offset not in self.particion.anotadas:
                self.intentos = int(datos.get("intentos", 0))
                self.vence_ms = int(datos.get("vence_ms", 0))

    def entrega(self) -> Entrega:
        brutas = self.bruto.headers() if self.brutas is None else self.brutas
        mensaje = Mensaje(
            topico=self.topico,
            cuerpo=self.bruto.value() or b"",
            clave=self.clave,
            cabeceras=cabeceras.de_kafka(brutas) if brutas else {},
        )
        return Entrega(mensaje, self.intentos, self.sospechosa, self)


class Particion:
    """El estado de una partición; quien la toca tiene el candado de su `Reparto`.

    Lo leído espera crudo, como lo trajo el cliente, y se abre al darlo. Al leer sólo se abre lo que puede no ser
    corriente: lo que viene en un sobre (`con_sobre`) y aquello de lo que algo dejó guardado el dueño anterior.
    """

    def __init__(self, topico: str, numero: int, asiento: Asiento, *, con_sobre: bool = False) -> None:
        self.topico, self.numero = topico, numero
        self.orden: deque[Registro] = deque()  # lo abierto desde lo primero sin terminar
        self.cola: deque[Registro] = deque()  # lo abierto que aún no se dio a nadie
        self.crudos: deque[Crudo] = deque()  # lo leído después
        self.leido = asiento.base  # la próxima por leer
        self.en_mano = 0
        self.saltadas = 0  # las terminadas que siguen en `orden`
        self.reparte = True
        self.sucia = False
        self.anotadas: dict[int, Registro] = {}
        self.horizonte = self.asegurado = asiento.base  # hasta dónde se dio, y hasta dónde está guardado que se dio
        self._con_sobre = con_sobre
        self._previas = asiento
        self._con_previas_hasta = max(
            (*asiento.hechas, *asiento.anotadas, *(hasta for _, hasta in asiento.sospechosas)), default=-1
        )

    @property
    def base(self) -> int:
        """La primera sin terminar: lo que se confirma."""
        return self.orden[0].offset if self.orden else self._sin_abrir

    @property
    def _sin_abrir(self) -> int:
        """La primera que no se ha abierto: leída, o por leer."""
        return self.crudos[0].offset() if self.crudos else self.leido

    @property
    def leidas(self) -> int:
        """Cuántas hay en memoria desde la primera sin terminar."""
        return len(self.orden) + len(self.crudos)

    @property
    def por_dar(self) -> int:
        return len(self.cola) + len(self.crudos)

    def sigue(self, tanda: list[Crudo]) -> bool:
        """Si va detrás de lo leído y en su orden."""
        offsets: list[Any] = list(map(Message.offset, tanda))
        return offsets[0] >= self.leido and offsets == sorted(offsets)

    def leer(self, tanda: list[Crudo]) -> tuple[list[Crudo], list[Registro]]:
        """Apunta como leída una tanda que `sigue`; lo que queda crudo y lo que hubo que abrir para saber cómo es."""
        primera, self.leido = tanda[0].offset(), tanda[-1].offset() + 1
        if not self._con_sobre and primera > self._con_previas_hasta:
            self.crudos += tanda
            return tanda, []
        return [], [registro for bruto in tanda if (registro := self._abrir(bruto)) is not None]

    def _abrir(self, bruto: Crudo) -> Registro | None:
        registro = Registro(self, bruto)
        if self._recordar(registro):
            return None
        self.orden.append(registro)
        if self._con_sobre:
            registro.sacar_del_sobre()
        return registro

    def sacar(self, maximo: int) -> Iterator[Registro]:
        """Hasta `maximo` de lo que aún no se dio, en su orden."""
        cola, crudos, orden = self.cola, self.crudos, self.orden
        for _ in range(min(maximo, self.por_dar)):
            if cola:
                yield cola.popleft()
            else:
                registro = Registro(self, crudos.popleft())
                orden.append(registro)
                yield registro

    def soltar(self) -> int:
        """Deja de tener lo que no se dio: lo crudo volverá a leerse; los bytes que ocupaba."""
        tamano = sum(map(len, self.crudos))
        self.leido = self._sin_abrir
        self.crudos.clear()
        self.cola.clear()
        return tamano

    def adelantar(self, cuantas: int) -> None:
        """Da por dadas las próximas `cuantas`, leídas ya o no: no tendrán que esperar a que se guarde que se dan."""
        proxima = self.cola[0].offset if self.cola else self._sin_abrir
        self.horizonte = max(self.horizonte, proxima + cuantas)

    def _recordar(self, registro: Registro) -> bool:
        """Le pone lo que dejó guardado el dueño anterior; dice si ya estaba terminado."""
        previas, offset = self._previas, registro.offset
        if offset in previas.hechas:
            previas.hechas.discard(offset)
            if self.orden:
                registro.hecha, registro.bruto = True, None
                self.orden.append(registro)
                self.saltadas += 1
            return True
        registro.sospechosa = any(desde <= offset < hasta for desde, hasta in previas.sospechosas)
        if (anotada := previas.anotadas.pop(offset, None)) is not None:
            registro.intentos, registro.vence_ms = anotada
            self.anotadas[offset] = registro
            if registro.vence_ms:
                registro.sospechosa, registro.aplazada = False, True
        return False

    def avanzar(self) -> None:
        """Olvida lo terminado que ya no tiene nada delante."""
        self.sucia = True
        orden = self.orden
        while orden and orden[0].hecha:
            orden.popleft()
            self.saltadas -= 1

    def anotar(self, registro: Registro) -> None:
        """Sus intentos o su espera ya no son los de un mensaje recién publicado."""
        self.anotadas[registro.offset] = registro
        self.sucia = True

    def asiento(self, dueno: str, *, final: bool) -> Asiento:
        """Lo que hay que guardar; `final` si este consumidor la deja por las buenas."""
        base, previas = self.base, self._previas
        anotadas = {o: a for o, a in previas.anotadas.items() if o >= base}
        anotadas.update((o, (r.intentos, r.vence_ms)) for o, r in self.anotadas.items())
        saltadas = {r.offset for r in self.orden if r.hecha} if self.saltadas else set()
        return Asiento(
            base,
            dueno,
            {o for o in previas.hechas if o >= base} | saltadas,
            self._sospechosas(base, final=final),
            anotadas,
        )

    def _sospechosas(self, base: int, *, final: bool) -> Rangos:
        desde_aqui = self.leido if final else base
        rangos = [(max(desde, desde_aqui), hasta) for desde, hasta in self._previas.sospechosas if hasta > desde_aqui]
        if final:
            return rangos + en_rangos(
                r.offset for r in self.orden if not r.hecha and (r.en_mano or (r.sospechosa and not r.vence_ms))
            )
        return [*rangos, (base, self.horizonte)] if self.horizonte > base else rangos

    def empezar_otra_vez(self) -> None:
        """El tópico se borró y se volvió a crear: sus posiciones empiezan de nuevo, y de lo de antes no queda nada."""
        self.soltar()
        for registro in self.orden:
            registro.hecha, registro.en_mano = True, False
        self.orden.clear()
        self.anotadas.clear()
        self.en_mano = self.saltadas = 0
        self.leido = self.horizonte = self.asegurado = 0
        self._previas, self._con_previas_hasta = Asiento(0), -1
