"""Lo que la página cuenta de un evento escrito con una versión que este proceso no conoce."""

from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from aeroalpes.modulos.vuelos.infraestructura.schema.v1 import eventos as v1
from aeroalpes.modulos.vuelos.infraestructura.schema.v2 import eventos as v2
from seedwork.infraestructura.brokers import Mensaje, RegistroEsquemas
from seedwork.infraestructura.codificacion import codificar
from seedwork.infraestructura.esquemas import esquema_de
from seedwork.infraestructura.lectura import leer
from seedwork.infraestructura.schema.v1.mensajes import sobre
from ui.fuente import a_cloudevent

V2 = esquema_de(v2.EventosReserva)


class RegistroFalso:
    """El de un tópico, con un esquema o ninguno, y cuántas veces se preguntó por alguno."""

    def __init__(self, avro: dict[str, Any] | None = None) -> None:
        self._avro = avro
        self.preguntas = 0

    async def registrar(self, topico: str, revisiones: Any) -> int:
        raise NotImplementedError

    async def buscar(self, topico: str, huella: str) -> dict[str, Any] | None:
        self.preguntas += 1
        return self._avro if (topico, huella) == (v2.TOPICO, V2.huella) else None


@pytest.fixture(autouse=True)
def sin_la_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Como si este proceso se hubiera desplegado antes de que hubiera versión 2."""
    monkeypatch.delitem(esquema_de(v1.EventosReserva).escritores, V2.huella)  # type: ignore[arg-type]


def creada() -> Mensaje:
    id = str(uuid4())
    hotel = v2.Hotel(hotel="Dann Carlton", fecha="2026-11-22")
    variante = v2.ReservaCreada(id_reserva=id, estado="PENDIENTE", fecha_creacion=1, monto=24_000, hotel=hotel)
    registro = v2.EventosReserva(**sobre("ReservaCreada", "vuelos"), reserva_creada=variante)
    return codificar(registro, topico=v2.TOPICO, servicio="vuelos", clave=id)


async def contar(mensaje: Mensaje, esquemas: RegistroEsquemas | None) -> dict[str, Any] | None:
    return await a_cloudevent(mensaje, partial(leer, esquemas=esquemas))


async def test_se_lee_con_el_esquema_que_diga_el_registro_y_no_se_le_pregunta_otra_vez() -> None:
    registro = RegistroFalso(V2.avro)
    for mensaje in (creada(), creada()):
        contado = await contar(mensaje, registro)
        assert contado is not None
        assert (contado["type"], contado["data"]["id_reserva"]) == ("ReservaCreada", mensaje.clave)
        assert contado["data"]["monto"] == 24_000
    assert registro.preguntas == 1


@pytest.mark.parametrize("registro", [None, RegistroFalso()], ids=["sin registro", "no registrada"])
async def test_la_que_nadie_conoce_se_salta_y_se_dice(registro: RegistroEsquemas | None) -> None:
    with capture_logs() as registros:
        assert await contar(creada(), registro) is None
    (dicho,) = registros
    assert (dicho["event"], dicho["topico"]) == ("evento_ilegible", v2.TOPICO)
    assert V2.huella in dicho["error"]


async def test_lo_que_el_registro_da_y_no_es_de_ese_registro_no_se_usa() -> None:
    ajeno = {"type": "record", "name": "Otro", "namespace": "aeroalpes.vuelos.v2", "fields": []}
    with capture_logs() as registros:
        assert await contar(creada(), RegistroFalso(ajeno)) is None
    assert "no es una versión de aeroalpes.vuelos.v1.EventosReserva" in registros[0]["error"]
