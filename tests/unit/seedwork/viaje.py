"""Una saga de tres pasos sobre la que se prueban la declaración y la máquina."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.sagas.definicion import Paso, Saga


@dataclass(frozen=True, kw_only=True)
class _Evento:
    id_viaje: str


@dataclass(frozen=True, kw_only=True)
class ViajePedido(_Evento):
    monto: int


class Pagado(_Evento): ...


@dataclass(frozen=True, kw_only=True)
class PagoNegado(_Evento):
    motivo: str


class PagoDevuelto(_Evento): ...


class Reservado(_Evento): ...


class SinPlazas(_Evento): ...


class Avisado(_Evento): ...


class AvisoImposible(_Evento): ...


@dataclass(frozen=True, kw_only=True)
class _Comando(Comando[None]):
    id_viaje: str


@dataclass(frozen=True, kw_only=True)
class Pagar(_Comando):
    monto: int


@dataclass(frozen=True, kw_only=True)
class DevolverPago(_Comando):
    motivo: str


class Reservar(_Comando): ...


class SoltarReserva(_Comando): ...


class Avisar(_Comando): ...


@dataclass(frozen=True, kw_only=True)
class Cancelar(_Comando):
    motivo: str


PAGAR = Paso(Pagar, exito=Pagado, fallo=PagoNegado, compensacion=DevolverPago, compensado=PagoDevuelto, plazo_s=30)
RESERVAR = Paso(Reservar, exito=Reservado, fallo=SinPlazas, compensacion=SoltarReserva, plazo_s=20)
AVISAR = Paso(Avisar, exito=Avisado, fallo=AvisoImposible)
VIAJE = Saga(
    "viaje",
    inicia=ViajePedido,
    clave="id_viaje",
    pasos=[PAGAR, RESERVAR, AVISAR],
    al_fallar=Cancelar,
    intentos_compensacion=3,
    espera_compensacion_s=10,
)


def con(paso: Paso, **cambios: Any) -> Paso:
    return replace(paso, **cambios)
