"""La base de los repositorios sobre SQLAlchemy: una fila por agregado, traducida a mano por un mapeador."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Row, Table, select, update

from seedwork.dominio.entidades import AgregacionRaiz
from seedwork.dominio.excepciones import ConflictoConcurrencia, NoEncontrado, YaExiste
from seedwork.infraestructura.base_datos import insertar_si_falta
from seedwork.infraestructura.uow import UnidadTrabajoSQLAlchemy

A = TypeVar("A", bound=AgregacionRaiz)


class Mapeador(Protocol[A]):
    """Traduce entre un agregado y su fila. `id` y `version` los escribe el repositorio."""

    def a_fila(self, agregado: A) -> Mapping[str, Any]:
        """Las demás columnas; lo que no merezca una propia puede ir en una columna JSON."""
        ...

    def a_agregado(self, fila: Row[Any]) -> A:
        """El agregado tal como se guardó, sin registrar eventos."""
        ...


class RepositorioSQLAlchemy(Generic[A]):
    """Guarda agregados de clase `tipo` en `tabla`, que tiene al menos las columnas `id` y `version`.

    Implementa el puerto `Repositorio`. Dentro de una unidad de trabajo un id es siempre el mismo objeto.
    """

    tipo: type[A]
    tabla: Table
    mapeador: Mapeador[A]

    def __init__(self, uow: UnidadTrabajoSQLAlchemy) -> None:
        self._uow = uow

    def obtener(self, id: UUID, *, bloquear: bool = False) -> A:
        """El agregado con ese id; `NoEncontrado` si no hay.

        Con `bloquear` nadie más lo escribe hasta que esta transacción termine (donde la base bloquea filas; SQLite
        ya escribe de uno en uno); `ConflictoConcurrencia` si otro lo cambió entre que se leyó y se bloqueó.
        """
        seguido = self._uow.seguido(self.tipo, id)
        if seguido is not None and not bloquear:
            return seguido
        consulta = select(self.tabla).where(self.tabla.c.id == id)
        fila = self._uow.sesion.execute(consulta.with_for_update() if bloquear else consulta).first()
        if fila is None:
            raise NoEncontrado(f"No existe {self.tipo.__name__} con id {id}")
        if seguido is not None:
            if fila.version != seguido.version:
                raise self._conflicto(id)
            return seguido
        agregado = self.mapeador.a_agregado(fila)
        agregado.version = fila.version
        self._uow.seguir(agregado, self.guardar)
        return agregado

    def guardar(self, agregado: A) -> None:
        """Escribe el agregado y sube su versión; sus eventos salen con la confirmación.

        `YaExiste` si es nuevo y su id está tomado; `ConflictoConcurrencia` si otro lo guardó desde que se leyó;
        `SoloLectura` si la transacción no puede escribir.
        """
        self._uow.exigir_escritura()
        fila = {**self.mapeador.a_fila(agregado), "id": agregado.id, "version": agregado.version + 1}
        if agregado.version == 0:
            if not insertar_si_falta(self._uow.sesion, self.tabla, fila, "id"):
                raise YaExiste(f"Ya existe {self.tipo.__name__} con id {agregado.id}")
        else:
            suya = update(self.tabla).where(self.tabla.c.id == agregado.id, self.tabla.c.version == agregado.version)
            if self._uow.sesion.execute(suya.values(fila).returning(self.tabla.c.id)).first() is None:
                raise self._conflicto(agregado.id)
        agregado.version += 1
        self._uow.seguir(agregado, self.guardar)
        self._uow.anotar_eventos(agregado)

    def _conflicto(self, id: UUID) -> ConflictoConcurrencia:
        return ConflictoConcurrencia(f"Otro cambió {self.tipo.__name__} con id {id} mientras se usaba")
