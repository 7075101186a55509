"""El índice de gds: quién atiende qué."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aeroalpes.modulos.gds.aplicacion.comandos.anotar_confirmacion import AnotarConfirmacion, anotar_confirmacion
from aeroalpes.modulos.gds.aplicacion.comandos.anotar_liberacion import AnotarLiberacion, anotar_liberacion
from aeroalpes.modulos.gds.aplicacion.puertos import SistemaReservas
from aeroalpes.modulos.gds.dominio.eventos import (
    ConfirmacionRechazada,
    ConfirmacionRevertida,
    PlazasSobrantes,
    ReservaConfirmada,
)
from aeroalpes.modulos.gds.dominio.repositorios import RepositorioConfirmaciones
from aeroalpes.modulos.gds.infraestructura import migraciones
from aeroalpes.modulos.gds.infraestructura.anticorrupcion.ajeno import Host
from aeroalpes.modulos.gds.infraestructura.anticorrupcion.gds import GdsAnticorrupcion
from aeroalpes.modulos.gds.infraestructura.anticorrupcion.simulado import HostSimulado
from aeroalpes.modulos.gds.infraestructura.consumidores import al_recibir_comando
from aeroalpes.modulos.gds.infraestructura.coreografia import al_pasar_algo_a_la_reserva
from aeroalpes.modulos.gds.infraestructura.despachadores import publicar, soltar
from aeroalpes.modulos.gds.infraestructura.repositorios import ConfirmacionesSQLAlchemy
from aeroalpes.modulos.gds.infraestructura.schema.v1 import comandos, eventos
from seedwork.aplicacion.modulo import Modulo
from seedwork.infraestructura.migraciones import Migraciones

GDS = Modulo(
    nombre="gds",
    paquete=__package__,
    comandos={AnotarConfirmacion: anotar_confirmacion, AnotarLiberacion: anotar_liberacion},
    eventos={
        ReservaConfirmada: [publicar],
        ConfirmacionRechazada: [publicar],
        ConfirmacionRevertida: [publicar],
        PlazasSobrantes: [soltar],
    },
    puertos={
        RepositorioConfirmaciones: ConfirmacionesSQLAlchemy,
        SistemaReservas: GdsAnticorrupcion,
        Host: HostSimulado,
    },
    publica={
        eventos.TOPICO: [eventos.ReservaConfirmada, eventos.ConfirmacionRechazada, eventos.ConfirmacionRevertida],
        comandos.TOPICO: [comandos.RevertirConfirmacion],
    },
    consumidores=[al_recibir_comando],
    migraciones=[Migraciones("gds", Path(migraciones.__file__).parent)],
)
GDS_COREOGRAFIADO = replace(GDS, consumidores=[*GDS.consumidores, al_pasar_algo_a_la_reserva])
"""El mismo contexto cuando nadie lleva la reserva: reacciona a lo que les pasa a los demás."""
