"""Las plazas de una reserva: si se revierte, o no se llegó a saber de ellas, el GDS acaba sin ninguna."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.unit.gds.aerolineas import HOY, RESERVA, HostFalso, Humor

from aeroalpes.modulos.gds.aplicacion.comandos.anotar_confirmacion import AnotarConfirmacion, anotar_confirmacion
from aeroalpes.modulos.gds.aplicacion.comandos.anotar_liberacion import AnotarLiberacion, anotar_liberacion
from aeroalpes.modulos.gds.aplicacion.puertos import GdsSinRespuesta
from aeroalpes.modulos.gds.dominio.entidades import Confirmacion
from aeroalpes.modulos.gds.dominio.eventos import EventoGds, PlazasSobrantes
from aeroalpes.modulos.gds.dominio.objetos_valor import EstadoConfirmacion as E
from aeroalpes.modulos.gds.infraestructura.anticorrupcion.gds import GdsAnticorrupcion
from aeroalpes.modulos.gds.infraestructura.consumidores import al_recibir_comando
from aeroalpes.modulos.gds.infraestructura.schema.v1 import comandos
from seedwork.infraestructura.schema.v1.mensajes import sobre

CONFIRMAR = comandos.ComandosGds(
    **sobre("ConfirmarReserva", "pruebas"),
    confirmar_reserva=comandos.ConfirmarReserva(
        id_reserva=str(RESERVA),
        tramos=[comandos.Tramo(origen="BOG", destino="JFK", fecha_salida=0, fecha_llegada=3_600_000)],
    ),
)
REVERTIR = comandos.ComandosGds(
    **sobre("RevertirConfirmacion", "pruebas"),
    revertir_confirmacion=comandos.RevertirConfirmacion(id_reserva=str(RESERVA)),
)


class Mundo:
    """Una confirmación, su GDS y la cola de lo pedido; implementa `RepositorioConfirmaciones` y `Reloj`."""

    def __init__(self) -> None:
        self.confirmacion = Confirmacion(id=RESERVA)
        self.host = HostFalso()
        self.gds = GdsAnticorrupcion(self.host, plazo_s=0.001)
        self.cola: list[comandos.ComandosGds] = []
        self.ocurridos: list[EventoGds] = []

    def obtener(self, id: UUID) -> Confirmacion:
        return self.confirmacion

    def guardar(self, agregado: Confirmacion) -> None:
        for evento in agregado.extraer_eventos():
            self.ocurridos.append(evento)
            if isinstance(evento, PlazasSobrantes):
                self.cola.append(REVERTIR)

    def ahora(self) -> datetime:
        return HOY

    def atender(self, n: int = 0, humor: Humor = "bien", veces: int = 1) -> None:
        """Atiende el pedido n-ésimo; con más `veces`, el proceso murió antes de anotar la respuesta."""
        if not self.cola:
            return
        self.host.humor = humor
        pedido = self.cola.pop(n % len(self.cola))
        comando = None
        with capture_logs():
            for _ in range(veces):
                try:
                    comando = asyncio.run(al_recibir_comando(pedido, self.gds))
                except GdsSinRespuesta:
                    self.cola.insert(0, pedido)
                    return
        if isinstance(comando, AnotarConfirmacion):
            anotar_confirmacion(comando, self, self)
        else:
            assert isinstance(comando, AnotarLiberacion)
            anotar_liberacion(comando, self, self)

    @property
    def tipos(self) -> list[str]:
        return [type(evento).__name__ for evento in self.ocurridos]


def _tras(*pasos: tuple[comandos.ComandosGds, Humor]) -> Mundo:
    mundo = Mundo()
    for pedido, humor in pasos:
        mundo.cola.append(pedido)
        mundo.atender(humor=humor)
    return mundo


def test_con_plazas_se_confirma_con_su_localizador_y_revertir_las_suelta() -> None:
    mundo = _tras((CONFIRMAR, "bien"), (CONFIRMAR, "bien"))
    assert (mundo.confirmacion.estado, mundo.confirmacion.localizador) == (E.CONFIRMADA, "X7K2PQ")
    mundo.cola.append(REVERTIR)
    mundo.atender()
    assert mundo.tipos == ["ReservaConfirmada", "ConfirmacionRevertida"]
    assert mundo.host.ventas == set()


def test_sin_plazas_se_rechaza_diciendo_por_que() -> None:
    mundo = _tras((CONFIRMAR, "lleno"))
    assert (mundo.confirmacion.estado, mundo.confirmacion.motivo) == (E.RECHAZADA, "No hay plazas (NO SEATS)")
    assert mundo.tipos == ["ConfirmacionRechazada"]


@pytest.mark.parametrize("humor", ["calla", "vende y calla", "delira"])
def test_si_no_se_sabe_si_dio_plazas_se_rechaza_y_se_sueltan_por_si_acaso(humor: Humor) -> None:
    mundo = _tras((CONFIRMAR, humor))
    assert mundo.tipos == ["ConfirmacionRechazada", "PlazasSobrantes"]
    mundo.atender()
    assert mundo.host.ventas == set()
    assert mundo.confirmacion.estado is E.REVERTIDA


def test_lo_que_se_confirma_despues_de_revertir_se_niega_y_se_suelta() -> None:
    mundo = _tras((REVERTIR, "bien"), (CONFIRMAR, "bien"))
    assert mundo.tipos == ["ConfirmacionRevertida", "ConfirmacionRechazada", "PlazasSobrantes"]
    mundo.atender()
    assert mundo.host.ventas == set()


_humores = st.sampled_from(get_args(Humor))
_pasos = st.one_of(
    st.sampled_from([CONFIRMAR, REVERTIR]).map(lambda pedido: ("pedir", pedido)),
    st.tuples(st.just("atender"), st.integers(0, 2), _humores, st.integers(1, 2)),
)


@settings(max_examples=150, deadline=None)
@given(pasos=st.lists(_pasos, max_size=8))
def test_ninguna_secuencia_deja_plazas_que_la_reserva_no_tiene(pasos: list[tuple[object, ...]]) -> None:
    """Con pedidos repetidos y desordenados, respuestas perdidas, y procesos que mueren tras llamar al GDS."""
    mundo = Mundo()
    mundo.gds = GdsAnticorrupcion(mundo.host, plazo_s=0.001, fallos_que_abren=10_000)
    revertida = False
    for paso, *argumentos in pasos:
        if paso == "pedir":
            revertida |= argumentos[0] is REVERTIR
            mundo.cola.append(argumentos[0])  # type: ignore[arg-type]
        else:
            mundo.atender(*argumentos)  # type: ignore[arg-type]
    while mundo.cola:
        mundo.atender()
    assert bool(mundo.host.ventas) == (mundo.confirmacion.estado is E.CONFIRMADA)
    assert not (revertida and mundo.host.ventas)
