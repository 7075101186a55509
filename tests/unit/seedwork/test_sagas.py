"""Una saga que no puede funcionar se rechaza al declararla, con una frase que nombra lo que está mal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.unit.seedwork.viaje import (
    AVISAR,
    PAGAR,
    RESERVAR,
    VIAJE,
    AvisoImposible,
    Cancelar,
    DevolverPago,
    Pagado,
    Pagar,
    PagoDevuelto,
    Reservado,
    ViajePedido,
    con,
)

from seedwork import Modulo, Paso, Saga
from seedwork.aplicacion.comandos import Comando
from seedwork.aplicacion.firmas import ErrorDeArranque
from seedwork.aplicacion.sagas.definicion import Rol, SagaInvalida
from seedwork.infraestructura.sagas.definiciones import DefinicionesSagas, SagaRepetida, SinDespachador
from seedwork.infraestructura.sistema import bootstrap


@dataclass(frozen=True)
class SinClave:
    otra: str


@dataclass(frozen=True, kw_only=True)
class PagarConMedio(Comando[None]):
    id_viaje: str
    medio: str
    propina: int = 0


class Rara: ...


@dataclass(frozen=True)
class PagarRaro(Comando[None]):
    id_viaje: Rara


@dataclass(frozen=True)
class PagarNada(Comando[None]):
    id_viaje: NoExiste  # type: ignore[name-defined]  # noqa: F821


def saga(*pasos: Paso, **cambios: Any) -> Saga:
    return Saga(**{"nombre": "viaje", "inicia": ViajePedido, "clave": "id_viaje", "pasos": pasos, **cambios})


@pytest.mark.parametrize(
    ("declarar", "frase"),
    [
        (lambda: saga(), "no tiene pasos"),
        (lambda: saga(Paso("Pagar", exito=Pagado)), "'Pagar', que no es una dataclass"),  # type: ignore[arg-type]
        (lambda: saga(Paso(int, exito=Pagado)), "int.*que no es una dataclass"),
        (lambda: saga(PAGAR, inicia=SinClave), "SinClave no lo tiene"),
        (lambda: saga(con(PAGAR, exito=SinClave)), "por 'id_viaje', y .*SinClave"),
        (lambda: saga(PAGAR, PAGAR), "escucha Pagado por dos motivos"),
        (lambda: saga(PAGAR, con(RESERVAR, fallo=Pagado)), "escucha Pagado por dos motivos"),
        (lambda: saga(PAGAR, con(RESERVAR, comando=Pagar)), "manda Pagar por dos motivos"),
        (lambda: saga(con(AVISAR, plazo_s=3)), "Avisar, lo da en segundos y lleva `compensacion`"),
        (lambda: saga(con(PAGAR, plazo_s=0)), "Pagar, lo da en segundos"),
        (lambda: saga(con(AVISAR, compensado=PagoDevuelto)), "PagoDevuelto sin una `compensacion`"),
        (lambda: saga(Paso(PagarConMedio, exito=Pagado)), "no sabrá el campo 'medio' de .*PagarConMedio"),
        (lambda: saga(con(AVISAR, comando=DevolverPago)), "no sabrá el campo 'motivo' de .*DevolverPago"),
        (lambda: saga(PAGAR, intentos_compensacion=0), "al menos una vez"),
        (lambda: saga(con(PAGAR, si="plazas")), "no sabrá si toca Pagar: 'plazas' no está"),
        (lambda: DefinicionesSagas([Modulo(nombre="m", sagas=["viaje"])]), "no es una Saga"),  # type: ignore[list-item]
        (
            lambda: DefinicionesSagas([Modulo(nombre="m", sagas=[saga(Paso(PagarRaro, exito=Pagado))])]),
            "PagarRaro no se",
        ),
        (
            lambda: DefinicionesSagas([Modulo(nombre="m", sagas=[saga(Paso(PagarNada, exito=Pagado))])]),
            "PagarNada no se",
        ),
    ],
)
def test_lo_que_no_puede_funcionar_se_rechaza_diciendo_que(declarar: Callable[[], Any], frase: str) -> None:
    with pytest.raises(SagaInvalida, match=frase):
        declarar()


def test_los_campos_que_un_comando_necesita_pueden_venir_del_exito_de_un_paso_anterior() -> None:
    @dataclass(frozen=True)
    class Elegido:
        id_viaje: str
        medio: str

    declarada = saga(con(AVISAR, exito=Elegido), Paso(PagarConMedio, exito=Pagado))
    assert declarada.eventos[Elegido] == (Rol.EXITO, 0)
    with pytest.raises(SagaInvalida, match="medio"):
        saga(Paso(PagarConMedio, exito=Pagado), con(AVISAR, exito=Elegido))
    with pytest.raises(SagaInvalida, match=r"medio.* que siempre se dé"):
        saga(con(AVISAR, exito=Elegido, si="monto"), Paso(PagarConMedio, exito=Pagado))


def test_dos_sagas_con_el_mismo_nombre_y_version_se_rechazan_y_dos_versiones_no() -> None:
    with pytest.raises(SagaRepetida, match=r"'viaje' \(versión 1\) está dos veces: en los módulos a y a"):
        DefinicionesSagas([Modulo(nombre="a", sagas=[VIAJE, VIAJE])])
    with pytest.raises(SagaRepetida, match="en los módulos a y b"):
        DefinicionesSagas([Modulo(nombre="a", sagas=[VIAJE]), Modulo(nombre="b", sagas=[replace(VIAJE, version=2)])])
    definiciones = DefinicionesSagas([Modulo(nombre="a", sagas=[replace(VIAJE, version=2), VIAJE])])
    assert definiciones.vigentes["viaje"].version == 2


def test_cambiar_los_pasos_cambia_la_forma_y_cambiar_los_plazos_no() -> None:
    formas = {
        VIAJE.forma,
        replace(VIAJE, al_fallar=None).forma,
        replace(VIAJE, pasos=[PAGAR, AVISAR]).forma,
        replace(VIAJE, pasos=[PAGAR, RESERVAR, con(AVISAR, fallo=None)]).forma,
        replace(VIAJE, pasos=[PAGAR, con(RESERVAR, si="monto"), AVISAR]).forma,
    }
    assert len(formas) == 5
    assert replace(VIAJE, pasos=[con(PAGAR, plazo_s=1), RESERVAR, AVISAR], version=2).forma == VIAJE.forma


def pagar(_: Pagar) -> None: ...


async def cancelar(_: Cancelar) -> None: ...


@pytest.mark.parametrize(
    ("modulo", "error", "frase"),
    [
        (Modulo(nombre="viajes", sagas=[VIAJE]), SinDespachador, "manda .*Pagar y ningún módulo .*`comandos`.* viajes"),
        (
            Modulo(
                nombre="viajes",
                comandos={Pagar: pagar, Cancelar: cancelar},
                sagas=[Saga("viaje", ViajePedido, "id_viaje", [Paso(Pagar, Pagado, AvisoImposible)], Cancelar)],
            ),
            SinDespachador,
            "cancelar despacha .* debe ser `def`",
        ),
    ],
)
def test_una_saga_sin_quien_despache_lo_que_manda_detiene_el_arranque(
    modulo: Modulo, error: type[Exception], frase: str, tmp_path: Any
) -> None:
    with pytest.raises(error, match=frase):
        bootstrap([modulo], base_datos=f"sqlite:///{tmp_path}/b.db")


def test_una_saga_sin_base_de_datos_detiene_el_arranque() -> None:
    modulo = Modulo(nombre="viajes", comandos={Pagar: pagar}, sagas=[saga(Paso(Pagar, exito=Reservado))])
    with pytest.raises(ErrorDeArranque, match=r"Las sagas se guardan .* `base_datos`"):
        bootstrap([modulo])
