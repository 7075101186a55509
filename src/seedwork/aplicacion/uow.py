"""El puerto de la unidad de trabajo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from seedwork.dominio.entidades import AgregacionRaiz

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from seedwork.dominio.eventos import EventoDominio

A = TypeVar("A", bound=AgregacionRaiz)


class UnidadTrabajo(Protocol):
    """La lista de lo que una transacción de negocio toca, y el único lugar donde se confirma.

    Vive para un mensaje. Sale sin confirmar = no queda nada: ni estado, ni eventos, ni mensajes.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def seguir(self, agregado: A, guardar: Callable[[A], None]) -> None:
        """Un repositorio entregó o recibió `agregado`; `guardar` lo escribe si quedara con eventos sin guardar."""
        ...

    def extraer_eventos(self) -> list[EventoDominio]:
        """Los eventos de todos los agregados seguidos, en el orden en que se guardaron; cada uno sale una vez."""
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """Un bloque que, si falla, deshace sólo lo suyo: cambios, agregados y eventos."""
        ...

    def al_confirmar(self, aviso: Callable[[], None]) -> None:
        """Llama a `aviso` una vez confirmada la transacción; nunca si no se confirma."""
        ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...
