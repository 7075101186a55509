"""El módulo que atiende a las sagas, en los sistemas que llevan alguna."""

from __future__ import annotations

from seedwork.aplicacion.modulo import Modulo
from seedwork.aplicacion.sagas.puerto import Sagas
from seedwork.aplicacion.sagas.seguimiento import (
    ListarSagas,
    ObtenerSaga,
    ReanudarSaga,
    VistaSagas,
    listar_sagas,
    obtener_saga,
    reanudar_saga,
)
from seedwork.infraestructura.sagas.definiciones import DefinicionesSagas
from seedwork.infraestructura.sagas.registro import SagasSQLAlchemy
from seedwork.infraestructura.sagas.vista import VistaSagasSQLAlchemy


def modulo_sagas(definiciones: DefinicionesSagas) -> Modulo:
    """Los puertos por los que se mueven y se miran esas sagas, y lo que se les puede pedir por el bus."""
    return Modulo(
        nombre="seedwork.sagas",
        comandos={ReanudarSaga: reanudar_saga},
        queries={ObtenerSaga: obtener_saga, ListarSagas: listar_sagas},
        puertos={
            DefinicionesSagas: definiciones,
            Sagas: SagasSQLAlchemy,
            SagasSQLAlchemy: SagasSQLAlchemy,
            VistaSagas: VistaSagasSQLAlchemy,
        },
    )
