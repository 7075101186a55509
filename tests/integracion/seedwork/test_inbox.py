"""El inbox: anotar es atómico con el efecto, y lo viejo se purga en lotes."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, insert, select
from tests.integracion.seedwork.banco import Cuenta, Cuentas, cuantas_cuentas

from seedwork.aplicacion.mensajes import Entrada, Inbox, YaProcesada
from seedwork.dominio.eventos import nuevo_id
from seedwork.infraestructura.inbox import RETENCION_S, purgar
from seedwork.infraestructura.schema.v1.mensajes import ahora_ms
from seedwork.infraestructura.sistema import Sistema
from seedwork.infraestructura.tablas import inbox

ENTRADA = Entrada(suscripcion="s", id="m1")


def test_la_entrada_y_su_efecto_quedan_o_no_quedan_juntos(bus: Sistema) -> None:
    def efecto(t: Any, *, fallar: bool) -> None:
        t.ambito.get(Inbox).anotar(ENTRADA)
        t.ambito.get(Cuentas).guardar(Cuenta.abrir(nuevo_id()))
        if fallar:
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - el de la prueba
        bus.en_transaccion(lambda t: efecto(t, fallar=True))
    assert not bus.leer(lambda a: a.get(Inbox).vista(ENTRADA))
    assert cuantas_cuentas(bus) == 0

    bus.en_transaccion(lambda t: efecto(t, fallar=False))
    assert bus.leer(lambda a: a.get(Inbox).vista(ENTRADA))
    with pytest.raises(YaProcesada) as repetida:
        bus.en_transaccion(lambda t: efecto(t, fallar=False))
    assert repetida.value.resultado is None
    assert cuantas_cuentas(bus) == 1


def test_se_purga_lo_viejo_en_lotes_y_lo_reciente_se_queda(bus: Sistema) -> None:
    assert bus.motor is not None
    vieja = ahora_ms() - (RETENCION_S + 1) * 1000
    filas = [{"suscripcion": "s", "id": f"v{i}", "fecha_ms": vieja} for i in range(5)]
    with bus.motor.begin() as conexion:
        conexion.execute(insert(inbox), [*filas, {"suscripcion": "s", "id": "nueva", "fecha_ms": ahora_ms()}])
        assert [purgar(conexion, 3) for _ in range(3)] == [3, 2, 0]
        assert conexion.scalar(select(func.count()).select_from(inbox)) == 1
