"""En qué orden da un consumidor de Pulsar lo que tiene."""

from __future__ import annotations

from seedwork.infraestructura.brokers import Mensaje
from seedwork.infraestructura.brokers.pulsar.manos import Id
from seedwork.infraestructura.brokers.pulsar.reserva import Reserva, Tomada


def _tomadas(*lugares: int, clave: str | None = "k", topico: str = "t") -> list[Tomada]:
    return [
        Tomada(Id(topico, 1, lugar, -1), None, None, Mensaje(topico=topico, cuerpo=b"x", clave=clave), 0, 0)
        for lugar in lugares
    ]


def _llegan(reserva: Reserva, tomadas: list[Tomada]) -> None:
    reserva.tomar(tomadas)
    for tomada in tomadas:
        reserva.poner(tomada)


def _lugares(tomadas: list[Tomada]) -> list[int]:
    return [tomada.id.entrada for tomada in tomadas]


def test_lo_anterior_de_una_clave_sale_antes_aunque_llegue_despues() -> None:
    reserva = Reserva()
    _llegan(reserva, _tomadas(49, 50))
    _llegan(reserva, _tomadas(13, 14))
    _llegan(reserva, _tomadas(51))

    assert _lugares(reserva.sacar(10, ())) == [13, 14, 49, 50, 51]


def test_lo_que_llega_tarde_no_mueve_a_las_demas_claves_ni_a_lo_de_otro_topico() -> None:
    reserva = Reserva()
    for clave, topico, lugar in (("k", "t", 9), ("otra", "t", 8), (None, "t", 7), ("k", "u", 6), ("k", "t", 1)):
        _llegan(reserva, _tomadas(lugar, clave=clave, topico=topico))

    assert _lugares(reserva.sacar(10, ())) == [1, 8, 7, 6, 9]


def test_lo_devuelto_vuelve_a_su_sitio_entre_lo_de_su_clave() -> None:
    reserva = Reserva()
    _llegan(reserva, _tomadas(49))
    en_mano = reserva.sacar(1, ())
    _llegan(reserva, _tomadas(13))
    reserva.poner(en_mano[0])

    assert _lugares(reserva.sacar(10, ())) == [13, 49]


def test_lo_confirmado_ni_se_tiene_ni_ocupa_y_se_reconoce() -> None:
    reserva = Reserva()
    [tomada] = _tomadas(1)
    _llegan(reserva, [tomada])

    assert reserva.soltar(tomada)
    assert not reserva.soltar(tomada)
    assert (reserva.tiene(tomada), reserva.bytes, reserva.hecha(tomada.id)) == (False, 0, True)
