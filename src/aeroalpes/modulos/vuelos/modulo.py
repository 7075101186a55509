"""El índice de vuelos: quién atiende qué."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aeroalpes.modulos.vuelos.aplicacion.comandos.aprobar_reserva import AprobarReserva, aprobar_reserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.cancelar_reserva import CancelarReserva, cancelar_reserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.confirmar_producto import ConfirmarProducto, confirmar_producto
from aeroalpes.modulos.vuelos.aplicacion.comandos.crear_reserva import CrearReserva, crear_reserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.registrar_pago import RegistrarPago, registrar_pago
from aeroalpes.modulos.vuelos.aplicacion.comandos.solicitar_reserva import SolicitarReserva, solicitar_reserva
from aeroalpes.modulos.vuelos.aplicacion.comandos.vencer_reserva import VencerReserva, vencer_reserva
from aeroalpes.modulos.vuelos.aplicacion.puertos import DespachadorComandos, VistaReservas
from aeroalpes.modulos.vuelos.aplicacion.queries.listar_reservas import ListarReservas, listar_reservas
from aeroalpes.modulos.vuelos.aplicacion.queries.obtener_reserva import ObtenerReserva, obtener_reserva
from aeroalpes.modulos.vuelos.dominio.eventos import (
    AprobacionFallida,
    ReservaAprobada,
    ReservaCancelada,
    ReservaCreada,
    ReservaPagada,
)
from aeroalpes.modulos.vuelos.dominio.repositorios import RepositorioReservas
from aeroalpes.modulos.vuelos.infraestructura import migraciones
from aeroalpes.modulos.vuelos.infraestructura.consumidores import al_confirmarse_pago, al_recibir_comando
from aeroalpes.modulos.vuelos.infraestructura.coreografia import REACCIONES
from aeroalpes.modulos.vuelos.infraestructura.despachadores import DespachadorComandosReserva, publicar
from aeroalpes.modulos.vuelos.infraestructura.repositorios import ReservasSQLAlchemy, VistaReservasSQLAlchemy
from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import comandos
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos
from seedwork.aplicacion.modulo import Modulo
from seedwork.infraestructura.migraciones import Migraciones

VUELOS = Modulo(
    nombre="vuelos",
    paquete=__package__,
    comandos={
        CrearReserva: crear_reserva,
        SolicitarReserva: solicitar_reserva,
        RegistrarPago: registrar_pago,
        AprobarReserva: aprobar_reserva,
        CancelarReserva: cancelar_reserva,
        ConfirmarProducto: confirmar_producto,
        VencerReserva: vencer_reserva,
    },
    queries={ObtenerReserva: obtener_reserva, ListarReservas: listar_reservas},
    eventos={
        ReservaCreada: [publicar],
        ReservaPagada: [publicar],
        ReservaAprobada: [publicar],
        ReservaCancelada: [publicar],
        AprobacionFallida: [publicar],
    },
    puertos={
        RepositorioReservas: ReservasSQLAlchemy,
        VistaReservas: VistaReservasSQLAlchemy,
        DespachadorComandos: DespachadorComandosReserva,
    },
    publica={
        eventos.TOPICO: [
            eventos.ReservaCreada,
            eventos.ReservaPagada,
            eventos.ReservaAprobada,
            eventos.ReservaCancelada,
            eventos.AprobacionFallida,
        ],
        comandos.TOPICO: [comandos.CrearReserva],
    },
    consumidores=[al_recibir_comando, al_confirmarse_pago],
    migraciones=[Migraciones("vuelos", Path(migraciones.__file__).parent)],
)
VUELOS_COREOGRAFIADO = replace(VUELOS, consumidores=[*VUELOS.consumidores, *REACCIONES])
"""El mismo contexto cuando nadie lleva la reserva: reacciona a lo que les pasa a los demás."""
