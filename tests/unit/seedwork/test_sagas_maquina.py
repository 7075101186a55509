"""La máquina de una saga, caso a caso: adelante, atrás, y lo que llega tarde, repetido o desordenado."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from tests.unit.seedwork.viaje import (
    AVISAR,
    PAGAR,
    RESERVAR,
    VIAJE,
    Avisado,
    Avisar,
    AvisoImposible,
    Cancelar,
    DevolverPago,
    Pagado,
    Pagar,
    PagoDevuelto,
    PagoNegado,
    Reservado,
    Reservar,
    SinPlazas,
    SoltarReserva,
    ViajePedido,
    con,
)

from seedwork.aplicacion.sagas.definicion import Saga
from seedwork.aplicacion.sagas.maquina import (
    EstadoPaso,
    EstadoSaga,
    Que,
    SagaNoDetenida,
    al_evento,
    al_reanudar,
    al_vencer,
    iniciar,
)

P, S = EstadoPaso, EstadoSaga


class Marcha:
    """Una saga en marcha, con lo que mandó desde la última vez que se miró."""

    def __init__(self, saga: Saga = VIAJE, **datos: object) -> None:
        self.saga = saga
        self.ahora_ms = 0
        self._transicion = iniciar(saga, datos, 0)
        self.mandado = list(self._transicion.ordenes)

    def llega(self, *tipos: type, **datos: object) -> None:
        for tipo in tipos:
            self._transicion = al_evento(self.saga, self.instancia, tipo, datos, self.ahora_ms)
            self.mandado += self._transicion.ordenes

    def pasan(self, segundos: float) -> None:
        self.ahora_ms += int(segundos * 1000)
        self._transicion = al_vencer(self.saga, self.instancia, self.ahora_ms)
        self.mandado += self._transicion.ordenes

    def reanudar(self) -> None:
        self._transicion = al_reanudar(self.saga, self.instancia, self.ahora_ms)
        self.mandado += self._transicion.ordenes

    @property
    def instancia(self):  # type: ignore[no-untyped-def]
        return self._transicion.instancia

    @property
    def notas(self) -> list[Que]:
        return [nota.que for nota in self._transicion.notas]

    def manda(self, *tipos: type) -> bool:
        mandado, self.mandado = self.mandado, []
        return mandado == list(tipos)


@pytest.fixture
def marcha() -> Marcha:
    return Marcha()


def test_pide_un_paso_tras_otro_y_acaba(marcha: Marcha) -> None:
    assert marcha.manda(Pagar)
    assert marcha.instancia.vence_ms == 30_000
    marcha.llega(Pagado)
    assert marcha.manda(Reservar)
    marcha.llega(Reservado)
    assert marcha.manda(Avisar)
    assert marcha.instancia.vence_ms is None  # este paso no tiene plazo
    marcha.llega(Avisado)
    assert marcha.manda()
    assert (marcha.instancia.estado, set(marcha.instancia.pasos)) == (S.COMPLETADA, {P.HECHO})


def test_un_fallo_deshace_en_orden_inverso_solo_lo_hecho_y_al_final_avisa(marcha: Marcha) -> None:
    marcha.llega(Pagado, Reservado)
    marcha.manda(Pagar, Reservar, Avisar)
    marcha.llega(AvisoImposible, motivo="sin correo")
    assert marcha.manda(SoltarReserva, DevolverPago)  # la primera no se espera: no dice con qué se responde
    assert marcha.instancia.estado is S.COMPENSANDO
    marcha.llega(PagoDevuelto)
    assert marcha.manda(Cancelar)
    assert marcha.instancia.estado is S.COMPENSADA
    assert marcha.instancia.motivo == "sin correo"
    assert marcha.instancia.pasos == (P.COMPENSADO, P.COMPENSADO, P.FALLIDO)


def test_si_falla_el_primer_paso_no_hay_nada_que_deshacer(marcha: Marcha) -> None:
    marcha.llega(PagoNegado, motivo="sin fondos")
    assert marcha.manda(Pagar, Cancelar)
    assert marcha.instancia.pasos == (P.FALLIDO, P.PENDIENTE, P.PENDIENTE)


def test_sin_al_fallar_acaba_sin_mandar_nada_mas() -> None:
    marcha = Marcha(replace(VIAJE, al_fallar=None))
    marcha.llega(PagoNegado)
    assert marcha.manda(Pagar)
    assert (marcha.instancia.estado, marcha.instancia.motivo) == (S.COMPENSADA, "PagoNegado")


def test_el_paso_que_no_responde_a_tiempo_pudo_hacerse_y_tambien_se_deshace(marcha: Marcha) -> None:
    marcha.pasan(29.9)
    assert marcha.notas == []
    marcha.pasan(0.1)
    assert marcha.manda(Pagar, DevolverPago)
    assert marcha.instancia.motivo == "Pagar no respondió en 30 s"
    marcha.llega(PagoDevuelto)
    assert marcha.manda(Cancelar)


def test_el_exito_que_llega_tras_el_plazo_se_deshace_otra_vez(marcha: Marcha) -> None:
    marcha.pasan(30)
    marcha.llega(Pagado)
    assert marcha.manda(Pagar, DevolverPago, DevolverPago)
    marcha.llega(PagoDevuelto)
    assert marcha.manda(Cancelar)
    marcha.llega(Pagado)  # todavía más tarde: la saga ya acabó
    assert marcha.manda(DevolverPago)
    assert marcha.instancia.estado is S.COMPENSADA
    marcha.llega(PagoDevuelto)
    assert (marcha.manda(), marcha.notas) == (True, [Que.IGNORADO])


def test_el_exito_de_un_paso_que_dijo_haber_fallado_se_deshace(marcha: Marcha) -> None:
    marcha.llega(PagoNegado)
    marcha.llega(Pagado)
    assert marcha.manda(Pagar, Cancelar, DevolverPago)
    assert marcha.instancia.pasos[0] is P.COMPENSADO


def test_el_fallo_tardio_de_lo_que_ya_se_deshace_se_ignora(marcha: Marcha) -> None:
    marcha.pasan(30)
    marcha.llega(PagoNegado)
    assert marcha.notas == [Que.IGNORADO]
    assert marcha.instancia.estado is S.COMPENSANDO


def test_lo_repetido_se_ignora(marcha: Marcha) -> None:
    marcha.llega(ViajePedido, Pagado, Pagado, Pagado)
    assert marcha.manda(Pagar, Reservar)
    marcha.llega(Reservado, Avisado)
    for tipo in (ViajePedido, Pagado, Reservado, Avisado, PagoNegado, SinPlazas, PagoDevuelto):
        antes = marcha.instancia
        marcha.llega(tipo)
        assert (marcha.instancia, marcha.notas) == (antes, [Que.IGNORADO])


def test_lo_que_se_hizo_por_adelantado_no_se_pide_otra_vez_y_se_deshace_si_algo_falla() -> None:
    adelantada = Marcha()
    adelantada.llega(Reservado, Pagado)
    assert adelantada.manda(Pagar, Avisar)

    fallida = Marcha()
    fallida.llega(Reservado)
    fallida.llega(PagoNegado)
    assert fallida.manda(Pagar, SoltarReserva, Cancelar)


def test_el_fallo_que_llega_por_adelantado_cuenta_cuando_le_toca(marcha: Marcha) -> None:
    marcha.llega(SinPlazas, motivo="lleno")
    assert marcha.manda(Pagar)
    marcha.llega(Pagado)
    assert marcha.manda(DevolverPago)
    assert marcha.instancia.motivo == "lleno"


def test_si_otro_deshace_un_paso_hecho_la_saga_no_sigue(marcha: Marcha) -> None:
    marcha.llega(Pagado)
    marcha.llega(PagoDevuelto)
    assert marcha.manda(Pagar, Reservar, SoltarReserva, Cancelar)
    assert marcha.instancia.motivo == "Otro deshizo Pagar"


def test_una_compensacion_sin_respuesta_se_repite_cada_vez_mas_tarde_y_despues_se_detiene(marcha: Marcha) -> None:
    marcha.pasan(30)
    marcha.manda(Pagar, DevolverPago)
    for espera_s in (10, 20):
        marcha.pasan(espera_s - 0.1)
        assert marcha.manda()
        marcha.pasan(0.1)
        assert marcha.manda(DevolverPago)
    marcha.pasan(40)
    assert (marcha.manda(), marcha.instancia.estado, marcha.instancia.vence_ms) == (True, S.DETENIDA, None)
    marcha.pasan(1e6)
    assert marcha.instancia.estado is S.DETENIDA


def detenida() -> Marcha:
    marcha = Marcha(replace(VIAJE, intentos_compensacion=1))
    marcha.pasan(30)
    marcha.pasan(10)
    assert marcha.instancia.estado is S.DETENIDA
    marcha.mandado = []
    return marcha


def test_una_saga_detenida_se_reanuda_y_acaba() -> None:
    marcha = detenida()
    marcha.reanudar()
    assert marcha.manda(DevolverPago)
    assert marcha.instancia.estado is S.COMPENSANDO
    marcha.llega(PagoDevuelto)
    assert marcha.instancia.estado is S.COMPENSADA


def test_la_respuesta_que_llega_a_una_saga_detenida_la_pone_en_marcha() -> None:
    marcha = detenida()
    marcha.llega(PagoDevuelto)
    assert marcha.manda(Cancelar)
    assert marcha.instancia.estado is S.COMPENSADA


def test_solo_se_reanuda_una_detenida(marcha: Marcha) -> None:
    with pytest.raises(SagaNoDetenida, match="'viaje' está EN_CURSO"):
        marcha.reanudar()


def test_un_evento_que_su_definicion_no_escucha_se_ignora() -> None:
    marcha = Marcha(replace(VIAJE, pasos=[PAGAR, AVISAR]))
    marcha.llega(Reservado)
    assert marcha.notas == [Que.IGNORADO]


def test_un_paso_sin_compensacion_que_se_hace_tarde_queda_hecho() -> None:
    marcha = Marcha(replace(VIAJE, pasos=[PAGAR, AVISAR, con(RESERVAR)]))
    marcha.llega(Pagado, PagoDevuelto)  # otro devolvió el pago mientras se avisaba
    assert marcha.manda(Pagar, Avisar, Cancelar)
    marcha.llega(Avisado)
    assert marcha.instancia.pasos == (P.COMPENSADO, P.HECHO, P.PENDIENTE)


# --- pasos opcionales -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ConPlazas(ViajePedido):
    plazas: int = 0


CON_PLAZAS = replace(VIAJE, inicia=ConPlazas, pasos=[PAGAR, con(RESERVAR, si="plazas"), AVISAR])


def test_un_paso_opcional_se_pide_si_su_dato_esta_y_si_no_se_omite() -> None:
    quiere = Marcha(CON_PLAZAS, plazas=2)
    quiere.llega(Pagado)
    assert quiere.manda(Pagar, Reservar)

    no_quiere = Marcha(CON_PLAZAS, plazas=0)
    no_quiere.llega(Pagado)
    assert no_quiere.manda(Pagar, Avisar)
    assert Que.OMITIDO in no_quiere.notas
    no_quiere.llega(Avisado)
    assert no_quiere.instancia.estado is S.COMPLETADA
    assert no_quiere.instancia.pasos == (P.HECHO, P.OMITIDO, P.HECHO)


def test_el_dato_puede_venir_de_un_paso_anterior() -> None:
    marcha = Marcha(replace(VIAJE, pasos=[con(PAGAR, exito=ConPlazas), con(RESERVAR, si="plazas"), AVISAR]))
    marcha.llega(ConPlazas, plazas=1)
    assert marcha.manda(Pagar, Reservar)


def test_lo_omitido_no_se_deshace() -> None:
    marcha = Marcha(CON_PLAZAS)
    marcha.llega(Pagado, AvisoImposible, PagoDevuelto)
    assert marcha.manda(Pagar, Avisar, DevolverPago, Cancelar)
    assert marcha.instancia.pasos == (P.COMPENSADO, P.OMITIDO, P.FALLIDO)


def test_lo_que_otros_hagan_con_un_paso_que_no_hace_falta_no_mueve_la_saga() -> None:
    marcha = Marcha(CON_PLAZAS)
    for tipo in (Reservado, SinPlazas):  # antes de que le toque
        marcha.llega(tipo, plazas=1)
        assert marcha.notas == [Que.IGNORADO]
    marcha.llega(Pagado, Reservado, SinPlazas, Avisado, Reservado)
    assert marcha.manda(Pagar, Avisar)
    assert (marcha.instancia.estado, marcha.instancia.motivo) == (S.COMPLETADA, None)
