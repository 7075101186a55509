"""Una partición asignada: qué se leyó de ella, qué está en manos de alguien y qué se terminó."""

from __future__ import annotations

from collections import deque
from typing import Any

from seedwork.infraestructura.brokers import Entrega, Mensaje
from seedwork.infraestructura.brokers.kafka import cabeceras
from seedwork.infraestructura.brokers.kafka.asiento import Asiento, Rangos, en_rangos

SIN_POSICION = -1


class Registro:
    """Un mensaje leído y sin terminar. Lo que casi ninguno tiene es de la clase hasta que lo tenga."""

    topico: str | None = None  # el del mensaje, si no es el de la partición
    brutas: list[cabeceras.Bruta] | None = None  # las del mensaje, si las del bruto llevan un sobre
    intentos = 0
    sospechosa = False
    vence_ms = 0
    aplazada = False  # lo guardado dice que nadie la tiene: hay que guardar que ya no es así
    en_mano = False
    hecha = False

    def __init__(self, particion: Particion, offset: int, bruto: Any) -> None:
        self.particion = particion
        self.offset = offset
        self.bruto = bruto
        clave, cuerpo = bruto.key(), bruto.value()
        self.clave: str | None = None if clave is None else clave.decode("utf-8", "backslashreplace")
        self.tamano = len(cuerpo) if cuerpo else 0

    def cabeceras_brutas(self) -> list[cabeceras.Bruta]:
        return (self.bruto.headers() or []) if self.brutas is None else self.brutas

    def entrega(self) -> Entrega:
        brutas = self.bruto.headers() if self.brutas is None else self.brutas
        mensaje = Mensaje(
            topico=self.topico or self.particion.topico,
            cuerpo=self.bruto.value() or b"",
            clave=self.clave,
            cabeceras=cabeceras.de_kafka(brutas) if brutas else {},
        )
        return Entrega(mensaje, self.intentos, self.sospechosa, self)


class Particion:
    """El estado de una partición; quien la toca tiene el candado de su `Reparto`."""

    def __init__(self, topico: str, numero: int, asiento: Asiento) -> None:
        self.topico, self.numero = topico, numero
        self.orden: deque[Registro] = deque()  # todo lo leído desde la primera sin terminar
        self.cola: deque[Registro] = deque()  # lo que aún no se dio a nadie
        self.leido = asiento.base  # la próxima por leer
        self.en_mano = 0
        self.saltadas = 0  # las terminadas que siguen en `orden`
        self.reparte = True
        self.sucia = False
        self.anotadas: dict[int, Registro] = {}
        self.horizonte = self.asegurado = asiento.base  # hasta dónde se dio, y hasta dónde está guardado que se dio
        self._previas = asiento
        self._recordadas = bool(asiento.hechas or asiento.sospechosas or asiento.anotadas)

    @property
    def base(self) -> int:
        """La primera sin terminar: lo que se confirma."""
        return self.orden[0].offset if self.orden else self.leido

    def leer(self, bruto: Any) -> Registro | None:
        """Lo apunta como leído; None si ya se había leído o terminado."""
        offset: int = bruto.offset()
        if offset < self.leido:
            if offset > 0:
                return None
            self._empezar_otra_vez()  # el tópico se borró y se volvió a crear: sus posiciones empiezan de nuevo
        self.leido = offset + 1
        registro = Registro(self, offset, bruto)
        if self._recordadas and self._recordar(registro):
            return None
        self.orden.append(registro)
        return registro

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

    def _empezar_otra_vez(self) -> None:
        for registro in self.orden:
            registro.hecha, registro.en_mano = True, False
        self.orden.clear()
        self.cola.clear()
        self.anotadas.clear()
        self.en_mano = self.saltadas = 0
        self.horizonte = self.asegurado = 0
        self._previas, self._recordadas = Asiento(0), False
