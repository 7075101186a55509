"""En qué partición de Pulsar cae cada mensaje."""

from __future__ import annotations

from itertools import pairwise

import pytest

from seedwork.infraestructura.brokers.pulsar.direccion import carril_de
from seedwork.infraestructura.brokers.pulsar.enrutado import Enrutador, huella_de_java


@pytest.mark.parametrize(
    ("clave", "huella"),
    [("a", 97), ("hello", 99162322), ("polygenelubricants", 0), ("año", 100799), ("😀", 1772899), ("", 0)],
)
def test_una_clave_va_donde_la_pondria_el_cliente_de_java(clave: str, huella: int) -> None:
    assert huella_de_java(clave) == huella


def test_lo_de_una_clave_va_siempre_a_la_misma_tambien_si_es_vacia() -> None:
    for clave in ("", "k", "ñ"):
        assert len({Enrutador().elegir(clave, 4) for _ in range(50)}) == 1


def test_lo_que_no_tiene_clave_va_seguido_a_una_y_se_reparte_entre_todas() -> None:
    enrutador = Enrutador()
    particiones = [enrutador.elegir(None, 4) for _ in range(80)]

    assert set(particiones) == {0, 1, 2, 3}
    assert sum(una != otra for una, otra in pairwise(particiones)) == 3


def test_el_carril_de_una_particion_es_su_numero_y_el_de_lo_demas_no_cambia() -> None:
    assert [carril_de(f"persistent://p/d/a-partition-{n}", 4) for n in range(6)] == [0, 1, 2, 3, 0, 1]
    assert carril_de("persistent://p/d/a", 4) == carril_de("persistent://p/d/a", 4)
    assert carril_de("persistent://p/d/a", 1) == 0
