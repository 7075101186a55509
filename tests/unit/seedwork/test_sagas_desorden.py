"""Pase lo que pase y en el orden que pase, una saga acaba entera o no deja nada hecho."""

from __future__ import annotations

from dataclasses import make_dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from seedwork.aplicacion.sagas.definicion import Paso, Saga
from seedwork.aplicacion.sagas.maquina import (
    ACABADAS,
    EstadoPaso,
    EstadoSaga,
    Instancia,
    Que,
    Transicion,
    al_evento,
    al_reanudar,
    al_vencer,
    iniciar,
)


def _tipo(nombre: str) -> type:
    return make_dataclass(nombre, [("id", str)], frozen=True)


Forma = tuple[bool, bool, bool, bool | None]


def _saga(formas: list[Forma]) -> Saga:
    """Un paso por forma: si tiene fallo, si su compensación se responde, si tiene plazo, y si es opcional y se quiere.

    El último no se puede deshacer.
    """
    pasos = [
        Paso(
            _tipo(f"Hacer{i}"),
            exito=_tipo(f"Hecho{i}"),
            fallo=_tipo(f"Fallo{i}") if falla else None,
            compensacion=_tipo(f"Deshacer{i}"),
            compensado=_tipo(f"Deshecho{i}") if responde else None,
            plazo_s=5 if plazo else None,
            si=None if quiere is None else f"quiere{i}",
        )
        for i, (falla, responde, plazo, quiere) in enumerate(formas)
    ]
    ultimo = Paso(_tipo("HacerUltimo"), exito=_tipo("HechoUltimo"), fallo=_tipo("FalloUltimo"))
    inicio = make_dataclass("Inicio", [("id", str), *((paso.si, bool) for paso in pasos if paso.si)], frozen=True)
    return Saga("saga", inicio, "id", [*pasos, ultimo], _tipo("Cancelar"), intentos_compensacion=2)


class Desorden(RuleBasedStateMachine):
    """Los servicios atienden lo que se les manda cuando y en el orden que quieren, y el broker repite y desordena.

    Cada uno hace un comando una sola vez, deshace cuantas se lo pidan y calla si no había nada nuevo que deshacer. Con
    `recuerdan`, quien deshizo antes de hacer ya no hace; sin ello, hace después, y la saga ha de darse cuenta.
    """

    @initialize(
        formas=st.lists(
            st.tuples(st.booleans(), st.booleans(), st.booleans(), st.sampled_from([None, True, False])),
            min_size=1,
            max_size=3,
        ),
        recuerdan=st.booleans(),
        al_reves=st.booleans(),
    )
    def empezar(self, formas: list[Forma], recuerdan: bool, al_reves: bool) -> None:
        self.saga = _saga(formas)
        self.recuerdan = recuerdan
        self.ultimo = -1 if al_reves else 0
        self.ahora_ms = 0
        self.por_atender: list[type] = []
        self.por_llegar: list[type] = []
        self.hechos: set[int] = set()
        self.intentados: set[int] = set()
        self.deshechos: set[int] = set()
        self.mandados: list[type] = []
        self.hubo_tardios = False
        self.instancia: Instancia | None = None
        self.hacen_falta = {i for i, (*_, quiere) in enumerate(formas) if quiere is not False} | {len(formas)}
        self._queda(iniciar(self.saga, {f"quiere{i}": quiere for i, (*_, quiere) in enumerate(formas)}, 0))

    def _queda(self, transicion: Transicion) -> None:
        self.instancia = transicion.instancia
        self.por_atender += transicion.ordenes
        self.mandados += transicion.ordenes
        self.hubo_tardios |= any(nota.que is Que.TARDIO for nota in transicion.notas)

    # --- lo que pasa fuera --------------------------------------------------------------------------------------

    @precondition(lambda self: self.por_atender)
    @rule(donde=st.integers(0, 99), bien=st.booleans())
    def atender(self, donde: int, bien: bool) -> None:
        comando = self.por_atender.pop(donde % len(self.por_atender))
        for i, paso in enumerate(self.saga.pasos):
            if comando is paso.comando and i not in self.intentados:
                self.intentados.add(i)
                anulado = self.recuerdan and i in self.deshechos
                if not anulado and (bien or paso.fallo is None):
                    self.hechos.add(i)
                    self.por_llegar.append(paso.exito)
                elif paso.fallo is not None:
                    self.por_llegar.append(paso.fallo)
            if comando is paso.compensacion:
                if paso.compensado is not None and (i in self.hechos or i not in self.deshechos):
                    self.por_llegar.append(paso.compensado)
                self.hechos.discard(i)
                self.deshechos.add(i)

    @precondition(lambda self: self.por_llegar)
    @rule(donde=st.integers(0, 99), se_repite=st.booleans())
    def llegar(self, donde: int, se_repite: bool) -> None:
        donde %= len(self.por_llegar)
        tipo = self.por_llegar[donde] if se_repite else self.por_llegar.pop(donde)
        assert self.instancia is not None
        self._queda(al_evento(self.saga, self.instancia, tipo, {}, self.ahora_ms))

    @rule()
    def repetir_el_inicio(self) -> None:
        assert self.instancia is not None
        self._queda(al_evento(self.saga, self.instancia, self.saga.inicia, {}, self.ahora_ms))

    @precondition(lambda self: self.instancia.vence_ms is not None)
    @rule()
    def vencer(self) -> None:
        assert self.instancia is not None
        self.ahora_ms = self.instancia.vence_ms or 0
        self._queda(al_vencer(self.saga, self.instancia, self.ahora_ms))

    @precondition(lambda self: self.instancia.estado is EstadoSaga.DETENIDA)
    @rule()
    def reanudar(self) -> None:
        assert self.instancia is not None
        self._queda(al_reanudar(self.saga, self.instancia, self.ahora_ms))

    # --- lo que siempre se cumple -------------------------------------------------------------------------------

    @invariant()
    def hay_una_sola_cosa_en_curso(self) -> None:
        if self.instancia is None:
            return
        pasos = self.instancia.pasos
        if self.instancia.estado is EstadoSaga.EN_CURSO:
            assert pasos.count(EstadoPaso.PEDIDO) == 1
        if self.instancia.estado in (EstadoSaga.COMPENSANDO, EstadoSaga.DETENIDA):
            assert pasos.count(EstadoPaso.COMPENSANDO) == 1

    @invariant()
    def no_se_hace_nada_dos_veces_ni_se_deshace_lo_que_no_se_pidio(self) -> None:
        if self.instancia is None:
            return
        for paso in self.saga.pasos:
            assert self.mandados.count(paso.comando) <= 1
            assert paso.compensacion not in self.mandados or paso.comando in self.mandados
        assert self.mandados.count(self.saga.al_fallar) == (self.instancia.estado is EstadoSaga.COMPENSADA)

    @invariant()
    def se_deshace_en_orden_inverso(self) -> None:
        if self.instancia is None or self.hubo_tardios:
            return
        compensaciones = [paso.compensacion for paso in self.saga.pasos]
        primeras = [compensaciones.index(c) for c in dict.fromkeys(self.mandados) if c in compensaciones]
        assert primeras == sorted(primeras, reverse=True)

    def teardown(self) -> None:
        """En cuanto los servicios y el broker se ponen al día, todo queda hecho o todo deshecho."""
        if getattr(self, "instancia", None) is None:
            return
        for _ in range(200):
            while self.por_atender or self.por_llegar:
                if self.por_atender:
                    self.atender(self.ultimo, bien=True)
                else:
                    self.llegar(self.ultimo, se_repite=False)
            if self.instancia is not None and self.instancia.estado in ACABADAS:
                break
            if self.instancia is not None and self.instancia.estado is EstadoSaga.DETENIDA:
                self.reanudar()
            else:
                self.vencer()
        estado: Any = self.instancia and self.instancia.estado
        assert self.hechos == (self.hacen_falta if estado is EstadoSaga.COMPLETADA else set())
        self.hay_una_sola_cosa_en_curso()
        self.no_se_hace_nada_dos_veces_ni_se_deshace_lo_que_no_se_pidio()
        self.se_deshace_en_orden_inverso()


TestDesorden = Desorden.TestCase
TestDesorden.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
