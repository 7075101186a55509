"""Las confirmaciones en SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from aeroalpes.modulos.gds.dominio.entidades import Confirmacion
from aeroalpes.modulos.gds.dominio.objetos_valor import EstadoConfirmacion
from aeroalpes.modulos.gds.infraestructura.tablas import confirmaciones
from seedwork.dominio.excepciones import ConflictoConcurrencia, NoEncontrado, YaExiste
from seedwork.infraestructura.repositorios import RepositorioSQLAlchemy


class MapeadorConfirmacion:
    """Implementa el `Mapeador` del repositorio."""

    def a_fila(self, confirmacion: Confirmacion) -> Mapping[str, Any]:
        return {
            "estado": str(confirmacion.estado),
            "localizador": confirmacion.localizador,
            "motivo": confirmacion.motivo,
        }

    def a_agregado(self, fila: Row[Any]) -> Confirmacion:
        return Confirmacion(
            id=fila.id,
            estado=EstadoConfirmacion(fila.estado),
            localizador=fila.localizador,
            motivo=fila.motivo,
        )


class ConfirmacionesSQLAlchemy(RepositorioSQLAlchemy[Confirmacion]):
    """Implementa `RepositorioConfirmaciones`."""

    tipo = Confirmacion
    tabla = confirmaciones
    mapeador = MapeadorConfirmacion()

    def obtener(self, id: UUID, *, bloquear: bool = False) -> Confirmacion:
        try:
            return super().obtener(id, bloquear=bloquear)
        except NoEncontrado:
            return Confirmacion(id=id)

    def guardar(self, agregado: Confirmacion) -> None:
        try:
            super().guardar(agregado)
        except YaExiste as error:  # otro la estrenó a la vez: se empieza de nuevo desde la suya
            raise ConflictoConcurrencia(str(error)) from error
