"""Lo que un consumidor de Pulsar tiene, y en qué orden lo da."""

from __future__ import annotations

from typing import Any

from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.brokers.pulsar.manos import Id
from seedwork.infraestructura.brokers.pulsar.reserva import Reserva, Tomada


def _tomada(entrada: int, carril: int = 0, clave: str = "k") -> Tomada:
    nada: Any = None
    mensaje = Mensaje(topico="t", cuerpo=b"x", clave=clave)
    return Tomada(Id(f"t-partition-{carril}", 1, entrada, -1), carril, nada, nada, mensaje, 0, 0)


def _reserva(*tomadas: Tomada) -> Reserva:
    reserva = Reserva()
    reserva.tomar(tomadas)
    for tomada in tomadas:
        reserva.poner(tomada)
    return reserva


def _entradas(tomadas: list[Tomada]) -> list[int]:
    return [tomada.id.entrada for tomada in tomadas]


def test_lo_devuelto_vuelve_a_su_sitio() -> None:
    reserva = _reserva(*(_tomada(entrada) for entrada in range(4)))
    primera, segunda = reserva.sacar(2, ())
    reserva.poner(segunda)
    reserva.poner(primera)

    assert _entradas(reserva.sacar(9, ())) == [0, 1, 2, 3]


def test_lo_de_una_clave_exceptuada_espera_en_su_sitio() -> None:
    reserva = _reserva(_tomada(0, clave="a"), _tomada(1, clave="b"), _tomada(2, clave="a"))

    assert reserva.por_dar({"a"}) == 1
    assert _entradas(reserva.sacar(9, {"a"})) == [1]
    assert _entradas(reserva.sacar(9, ())) == [0, 2]


def test_al_retirar_un_carril_sigue_lo_que_esta_en_manos_de_alguien() -> None:
    reserva = _reserva(*(_tomada(entrada, carril) for entrada in range(3) for carril in (0, 1)))
    [dada, _] = reserva.sacar(2, ())
    reserva.retirar(0)

    assert reserva.en_mano == {0: 1, 1: 1}
    assert [(tomada.carril, tomada.id.entrada) for tomada in reserva.tengo.values()] == [(0, 0), (1, 0), (1, 1), (1, 2)]
    assert reserva.soltar(dada)
    assert reserva.hecha(dada.id)
    assert not reserva.soltar(dada)
    assert reserva.en_mano[0] == 0


def test_lo_olvidado_no_esta_hecho_y_los_bytes_cuentan_lo_que_se_tiene() -> None:
    una, otra = _tomada(0), _tomada(1)
    reserva = _reserva(una, otra)
    reserva.olvidar(una)

    assert reserva.bytes == 1
    assert not reserva.hecha(una.id)
    assert not reserva.tiene(una)
    assert reserva.tiene(otra)
