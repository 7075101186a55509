"""El índice de pagos: quién atiende qué."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aeroalpes.modulos.pagos.aplicacion.comandos.anotar_cobro import AnotarCobro, anotar_cobro
from aeroalpes.modulos.pagos.aplicacion.comandos.anotar_devolucion import AnotarDevolucion, anotar_devolucion
from aeroalpes.modulos.pagos.aplicacion.comandos.pagar_reserva import PagarReserva, pagar_reserva
from aeroalpes.modulos.pagos.aplicacion.comandos.revertir_pago import RevertirPago, revertir_pago
from aeroalpes.modulos.pagos.aplicacion.puertos import PasarelaPagos, VistaPagos
from aeroalpes.modulos.pagos.aplicacion.queries.obtener_pago import ObtenerPago, obtener_pago
from aeroalpes.modulos.pagos.dominio.eventos import (
    CobroAceptado,
    CobroRechazado,
    CobroSolicitado,
    PagoRevertido,
    ReversionSolicitada,
)
from aeroalpes.modulos.pagos.dominio.repositorios import RepositorioPagos
from aeroalpes.modulos.pagos.infraestructura import migraciones
from aeroalpes.modulos.pagos.infraestructura.consumidores import al_recibir_comando, llamar_a_la_pasarela
from aeroalpes.modulos.pagos.infraestructura.coreografia import al_pasar_algo_a_la_reserva
from aeroalpes.modulos.pagos.infraestructura.despachadores import publicar
from aeroalpes.modulos.pagos.infraestructura.pasarela import PasarelaSimulada
from aeroalpes.modulos.pagos.infraestructura.repositorios import PagosPorEventos, VistaPagosSQLAlchemy
from aeroalpes.modulos.pagos.infraestructura.schema.v1 import eventos, pasarela
from seedwork.aplicacion.modulo import Modulo
from seedwork.infraestructura.migraciones import Migraciones

PAGOS = Modulo(
    nombre="pagos",
    paquete=__package__,
    comandos={
        PagarReserva: pagar_reserva,
        AnotarCobro: anotar_cobro,
        RevertirPago: revertir_pago,
        AnotarDevolucion: anotar_devolucion,
    },
    queries={ObtenerPago: obtener_pago},
    eventos={
        CobroSolicitado: [publicar],
        CobroAceptado: [publicar],
        CobroRechazado: [publicar],
        ReversionSolicitada: [publicar],
        PagoRevertido: [publicar],
    },
    puertos={
        RepositorioPagos: PagosPorEventos,
        VistaPagos: VistaPagosSQLAlchemy,
        PasarelaPagos: PasarelaSimulada,
    },
    publica={
        eventos.TOPICO: [eventos.ReservaPagada, eventos.PagoRechazado, eventos.PagoRevertido],
        pasarela.TOPICO: [pasarela.Cobrar, pasarela.Devolver],
    },
    consumidores=[al_recibir_comando, llamar_a_la_pasarela],
    migraciones=[Migraciones("pagos", Path(migraciones.__file__).parent)],
)
PAGOS_COREOGRAFIADO = replace(PAGOS, consumidores=[*PAGOS.consumidores, al_pasar_algo_a_la_reserva])
"""El mismo contexto cuando nadie lleva la reserva: reacciona a lo que les pasa a los demás."""
