"""Sagas: una tabla de pasos que se recorre pidiendo y escuchando, y se deshace en orden inverso si algo falla."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import Any

from seedwork.aplicacion.firmas import ErrorDeArranque, nombre_de

_ESPERA_MAXIMA_S = 3600.0


class SagaInvalida(ErrorDeArranque):
    """Una saga declarada de un modo que no puede funcionar."""


class Rol(StrEnum):
    """Lo que un evento significa para una saga."""

    INICIA = "INICIA"
    EXITO = "EXITO"
    FALLO = "FALLO"
    COMPENSADO = "COMPENSADO"


@dataclass(frozen=True)
class Paso:
    """Pedir `comando` y esperar `exito` o `fallo`; `compensacion` es el comando que lo deshace.

    Sin respuesta en `plazo_s` segundos, o más si a otras sagas se les está respondiendo tarde, el paso pudo hacerse o
    no: se da por fallido y se compensa igual. Por eso un paso con plazo necesita compensación, y una compensación debe
    poder repetirse y admitir que no hubiera nada que deshacer. `compensado` es el evento que la responde: si se da, se
    espera, insistiendo, antes de deshacer otro paso. `si` lo hace opcional: nombra un dato de `inicia` o de un
    paso anterior, y cuando falta o está vacío se omite.
    """

    comando: type
    exito: type
    fallo: type | None = None
    compensacion: type | None = None
    compensado: type | None = None
    plazo_s: float | None = None
    si: str | None = None

    @property
    def nombre(self) -> str:
        return self.comando.__name__


@dataclass(frozen=True)
class Saga:
    """Un proceso largo: empieza con el evento `inicia` y hay uno por valor de su campo `clave`.

    Los comandos se arman por nombre de campo con los datos de `inicia` y de cada `exito` visto; los que deshacen
    reciben además `motivo`: el de ese nombre en el evento de fallo, o la frase que dice qué plazo venció. `al_fallar`
    se manda cuando ya no queda nada por deshacer. Una compensación sin respuesta se repite hasta
    `intentos_compensacion` veces, la primera tras `espera_compensacion_s` segundos y cada una tras el doble que la
    anterior; después la saga queda detenida, a la vista.

    Quien cambie `pasos` sube `version` y deja listada la anterior mientras haya sagas suyas en curso: cada una acaba
    con la definición con que empezó. Con `empieza=False` las que hay acaban y no empieza ninguna más.

    Lanza `SagaInvalida` con una frase si la declaración no puede funcionar.
    """

    nombre: str
    inicia: type
    clave: str
    pasos: Sequence[Paso]
    al_fallar: type | None = None
    version: int = 1
    intentos_compensacion: int = 8
    espera_compensacion_s: float = 10.0
    empieza: bool = True
    eventos: Mapping[type, tuple[Rol, int]] = field(init=False, repr=False, compare=False)
    """De cada evento que escucha, lo que significa y para qué paso."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pasos", tuple(self.pasos))
        self._comprobar()
        object.__setattr__(self, "eventos", {tipo: (rol, i) for rol, i, tipo in self._escuchados()})

    @property
    def comandos(self) -> tuple[type, ...]:
        """Todo lo que puede mandar."""
        sueltos = [self.al_fallar] if self.al_fallar else []
        return tuple([c for p in self.pasos for c in (p.comando, p.compensacion) if c is not None] + sueltos)

    @property
    def forma(self) -> str:
        """Una huella de lo que no puede cambiar sin subir la versión."""
        nombres = [
            [getattr(tipo, "__name__", None) for tipo in (p.comando, p.exito, p.fallo, p.compensacion, p.compensado)]
            + ([p.si] if p.si else [])
            for p in self.pasos
        ]
        extremos = [self.inicia.__name__, self.clave, self.al_fallar and self.al_fallar.__name__]
        return hashlib.sha256(json.dumps([extremos, nombres]).encode()).hexdigest()[:16]

    def espera_s(self, intento: int) -> float:
        """Cuánto se espera la respuesta de una compensación tras mandarla por `intento`-ésima vez."""
        return min(_ESPERA_MAXIMA_S, self.espera_compensacion_s * 2.0 ** min(intento - 1, 30))

    def _escuchados(self) -> Iterator[tuple[Rol, int, type]]:
        yield Rol.INICIA, -1, self.inicia
        for i, paso in enumerate(self.pasos):
            for rol, tipo in ((Rol.EXITO, paso.exito), (Rol.FALLO, paso.fallo), (Rol.COMPENSADO, paso.compensado)):
                if tipo is not None:
                    yield rol, i, tipo

    def _comprobar(self) -> None:
        quien = f"La saga {self.nombre!r}"
        if not self.pasos:
            raise SagaInvalida(f"{quien} no tiene pasos")
        if self.intentos_compensacion < 1 or self.espera_compensacion_s <= 0:
            raise SagaInvalida(f"{quien} insiste al menos una vez y espera más de cero segundos")
        for tipo in [*(tipo for _, _, tipo in self._escuchados()), *self.comandos]:
            if not (isinstance(tipo, type) and is_dataclass(tipo)):
                raise SagaInvalida(f"{quien} nombra {tipo!r}, que no es una dataclass: un evento o un comando lo son")
        for _, _, tipo in self._escuchados():
            if self.clave not in _campos(tipo):
                raise SagaInvalida(f"{quien} sigue a cada cual por {self.clave!r}, y {nombre_de(tipo)} no lo tiene")
        self._sin_repetidos(quien, "escucha", [tipo for _, _, tipo in self._escuchados()])
        self._sin_repetidos(quien, "manda", list(self.comandos))
        self._comprobar_datos(quien)
        for paso in self.pasos:
            if paso.plazo_s is not None and (paso.plazo_s <= 0 or paso.compensacion is None):
                raise SagaInvalida(
                    f"{quien}: un paso con plazo, como {paso.nombre}, lo da en segundos y lleva `compensacion`;"
                    " si no responde a tiempo pudo hacerse"
                )
            if paso.compensado is not None and paso.compensacion is None:
                raise SagaInvalida(
                    f"{quien} espera {nombre_de(paso.compensado)} sin una `compensacion` que lo produzca"
                )

    @staticmethod
    def _sin_repetidos(quien: str, verbo: str, tipos: Sequence[type]) -> None:
        vistos: set[str] = set()
        for tipo in tipos:
            if tipo.__name__ in vistos:
                raise SagaInvalida(f"{quien} {verbo} {tipo.__name__} por dos motivos distintos: no se sabría cuál es")
            vistos.add(tipo.__name__)

    def _comprobar_datos(self, quien: str) -> None:
        """Cada campo obligatorio de un comando ha de venir en un evento que ya se habrá visto al mandarlo."""
        conocidos = _campos(self.inicia)
        al_principio = conocidos | {"motivo"}
        for paso in self.pasos:
            if paso.si is not None and paso.si not in conocidos:
                raise SagaInvalida(
                    f"{quien} no sabrá si toca {paso.nombre}: {paso.si!r} no está en `inicia` ni en el `exito` de un"
                    " paso anterior que siempre se dé"
                )
            _exigir_datos(quien, paso.comando, conocidos)
            if paso.compensacion is not None:
                _exigir_datos(quien, paso.compensacion, conocidos | {"motivo"})
            if paso.si is None:
                conocidos = conocidos | _campos(paso.exito)
        if self.al_fallar is not None:
            _exigir_datos(quien, self.al_fallar, al_principio)


def _campos(tipo: type) -> frozenset[str]:
    return frozenset(campo.name for campo in fields(tipo))


def _exigir_datos(quien: str, comando: Any, conocidos: frozenset[str]) -> None:
    for campo in fields(comando):
        obligatorio = campo.init and campo.default is MISSING and campo.default_factory is MISSING
        if obligatorio and campo.name not in conocidos:
            raise SagaInvalida(
                f"{quien} no sabrá el campo {campo.name!r} de {nombre_de(comando)} cuando lo mande: no está en `inicia`"
                " ni en el `exito` de un paso anterior que siempre se dé"
            )
