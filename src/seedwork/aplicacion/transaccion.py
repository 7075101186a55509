"""La transacción de un mensaje: abre, deja actuar, reparte los eventos de dominio y confirma. Nadie más confirma."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol, Self

from seedwork.aplicacion.compilacion import Ambito
from seedwork.aplicacion.tablas import Eventos
from seedwork.aplicacion.uow import UnidadTrabajo


class Recursos(Protocol):
    """Quien sabe abrir una unidad de trabajo y el ámbito de puertos que cuelga de ella."""

    def abrir(self, *, solo_lectura: bool) -> AbstractContextManager[tuple[UnidadTrabajo, Ambito]]: ...


class Transaccion:
    """`with Transaccion(...) as t: ...; t.confirmar()`. Salir sin confirmar no deja nada."""

    def __init__(self, recursos: Recursos, eventos: Eventos) -> None:
        self._recursos = recursos
        self._eventos = eventos
        self.confirmados: list[Any] = []

    uow: UnidadTrabajo
    ambito: Ambito

    def __enter__(self) -> Self:
        self._abierta = self._recursos.abrir(solo_lectura=False)
        self.uow, self.ambito = self._abierta.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._abierta.__exit__(*error)

    def confirmar(self) -> None:
        """Ejecuta los handlers de los eventos registrados, y de los que éstos registren, y confirma todo junto.

        Esos eventos quedan en `confirmados`, por si alguien los atiende tras confirmar.
        """
        repartidos: list[Any] = []
        while eventos := self.uow.extraer_eventos():
            repartidos += eventos
            for evento in eventos:
                for handler in self._eventos.get(type(evento), ()):
                    handler.llamar(evento, self.ambito)
        self.uow.commit()
        self.confirmados = repartidos
