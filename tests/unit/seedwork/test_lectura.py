"""Abrir un mensaje para enseñarlo: con el esquema que se conozca, y sin que unos bytes malos estropeen nada."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from tests.integracion.eventos_reserva import creada

from aeroalpes.modulos.pagos.infraestructura.schema.v1.eventos import EventosPago
from aeroalpes.modulos.vuelos.infraestructura.schema.v1.eventos import EventosReserva
from seedwork import Mensajeria, message_handler
from seedwork.infraestructura.brokers import Broker, BrokerNoDisponible, Mensaje, conectar
from seedwork.infraestructura.brokers.embebido import BrokerEmbebido
from seedwork.infraestructura.codificacion import codificar_evento
from seedwork.infraestructura.esquemas import esquema_de
from seedwork.infraestructura.lectura import abrir

CREADA = creada()
SIN_REGISTRO = conectar("embebido://")


class ConRegistro(BrokerEmbebido):
    """Un broker cuyo registro tiene ese esquema, o se cae al preguntarle."""

    def __init__(self, avro: dict[str, Any] | None) -> None:
        self.letras_muertas, self.esquemas = SIN_REGISTRO.letras_muertas, self
        self._avro = avro

    async def registrar(self, topico: str, revisiones: Any) -> int:
        return 0

    async def buscar(self, topico: str, huella: str) -> dict[str, Any] | None:
        if self._avro is None:
            raise BrokerNoDisponible("caído")
        return self._avro


@pytest.mark.parametrize(
    ("tipos", "broker"),
    [([EventosPago, EventosReserva], SIN_REGISTRO), ([], ConRegistro(esquema_de(EventosReserva).avro))],
    ids=["por los tipos", "por el registro"],
)
async def test_se_lee_con_el_esquema_con_que_se_escribio(tipos: list[type], broker: Broker) -> None:
    datos = await abrir(CREADA, tipos, broker)
    assert datos is not None
    assert datos["reserva_creada"]["id_reserva"] == CREADA.clave
    assert datos["reserva_aprobada"] is None


@pytest.mark.parametrize(
    ("mensaje", "broker"),
    [
        (replace(CREADA, cuerpo=CREADA.cuerpo + b"x"), SIN_REGISTRO),
        (replace(CREADA, cuerpo=b"\xff" * 200), SIN_REGISTRO),
        (replace(CREADA, cuerpo=b""), SIN_REGISTRO),
        (replace(CREADA, cabeceras={}), SIN_REGISTRO),
        (replace(CREADA, cabeceras={**CREADA.cabeceras, "dataschema": "urn:avro:x:0"}), SIN_REGISTRO),
        (replace(CREADA, cabeceras={**CREADA.cabeceras, "dataschema": "urn:avro:x:0"}), ConRegistro(None)),
        (replace(CREADA, cabeceras={**CREADA.cabeceras, "dataschema": "urn:avro:x:0"}), ConRegistro({"type": "no"})),
        (codificar_evento("e", {"a": 1}, servicio="s"), SIN_REGISTRO),
    ],
    ids=["sobran", "basura", "vacío", "sin cabeceras", "nadie lo tiene", "registro caído", "registro raro", "json"],
)
async def test_lo_que_no_se_puede_leer_no_se_abre(mensaje: Mensaje, broker: Broker) -> None:
    assert await abrir(mensaje, [EventosReserva], broker) is None


def test_una_mensajeria_conoce_los_registros_de_lo_que_atiende() -> None:
    @message_handler("eventos-reserva")
    def oir(evento: EventosReserva) -> None: ...

    @message_handler("otros")
    def oir_otros(evento: dict) -> None: ...  # type: ignore[type-arg]

    mensajeria = Mensajeria("embebido://")
    mensajeria.incluir(cast("Any", oir), cast("Any", oir_otros))
    assert mensajeria.registros == (EventosReserva,)
