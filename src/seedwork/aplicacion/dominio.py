"""El registro de un dominio: por agregado, su repositorio de dominio y el de consulta."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from seedwork.aplicacion.compilacion import Ambito
from seedwork.aplicacion.firmas import FirmaInvalida, nombre_de, tipos_de

D = TypeVar("D")
C = TypeVar("C")


class AgregadoDesconocido(AttributeError):
    """Se pidió a un `Dominio` un agregado que no declara."""


class Repositorios(Generic[D, C]):
    """Los dos repositorios de un agregado, en la transacción en curso."""

    def __init__(self, ambito: Ambito, dominio: Any, consulta: Any) -> None:
        self._ambito = ambito
        self._dominio = dominio
        self._consulta = consulta

    @property
    def dominio(self) -> D:
        """El que guarda y entrega agregados."""
        return cast("D", self._ambito.get(self._dominio))

    @property
    def consulta(self) -> C:
        """El que responde preguntas, sin agregados."""
        return cast("C", self._ambito.get(self._consulta))


class Dominio:
    """Quien hereda declara un atributo por agregado, con los puertos de sus repositorios:

        class DominioVuelos(Dominio):
            reserva: Repositorios[RepositorioReservas, VistaReservas]

    Un handler lo pide por su tipo, sin que ningún módulo lo provea, y usa `dominio.reserva.dominio.obtener(id)` o
    `dominio.reserva.consulta`. Los puertos se comprueban al arrancar; un agregado que no está es `AgregadoDesconocido`.
    """

    _puertos: ClassVar[Mapping[str, tuple[Any, Any]]]

    def __init__(self, ambito: Ambito) -> None:
        for nombre, (dominio, consulta) in self.agregados().items():
            setattr(self, nombre, Repositorios(ambito, dominio, consulta))

    if not TYPE_CHECKING:  # mypy ya señala un atributo que no existe; esto lo dice al ejecutar

        def __getattr__(self, nombre: str) -> Any:
            conocidos = ", ".join(self.agregados()) or "ninguno"
            raise AgregadoDesconocido(f"{type(self).__name__} no tiene el agregado {nombre!r}: tiene {conocidos}")

    @classmethod
    def agregados(cls) -> Mapping[str, tuple[Any, Any]]:
        """Por nombre, los puertos de dominio y de consulta; `FirmaInvalida` si uno no se declara con `Repositorios`."""
        if "_puertos" not in vars(cls):
            cls._puertos = {
                nombre: _puertos_de(cls, nombre, tipo)
                for nombre, tipo in tipos_de(cls).items()
                if not nombre.startswith("_")
            }
        return cls._puertos


def _puertos_de(clase: type, nombre: str, tipo: Any) -> tuple[Any, Any]:
    if typing.get_origin(tipo) is not Repositorios:
        raise FirmaInvalida(
            f"{nombre_de(clase)}.{nombre} se declara como `Repositorios[<puerto de dominio>, <puerto de consulta>]`"
        )
    dominio, consulta = typing.get_args(tipo)
    return dominio, consulta
