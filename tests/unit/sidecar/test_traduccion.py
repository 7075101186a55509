from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from fallos import RespuestaIninteligible
from pb2py.vuelos_pb2 import Itinerario, Leg, Locacion, Odo, Reserva, Segmento
from traduccion import cuerpo_de_creacion, reserva_de_json, reserva_de_respuesta

textos = st.text(max_size=20)
marcas = st.builds(Timestamp, seconds=st.integers(-(10**10), 10**10), nanos=st.integers(0, 999_999_999))
lugares = st.builds(Locacion, codigo=textos, nombre=textos)
legs = st.builds(Leg, fecha_salida=marcas, fecha_llegada=marcas, destino=lugares, origen=lugares)
segmentos = st.builds(Segmento, legs=st.lists(legs, max_size=2))
odos = st.builds(Odo, segmentos=st.lists(segmentos, max_size=2))
itinerarios = st.builds(Itinerario, odos=st.lists(odos, max_size=2))
reservas = st.builds(Reserva, itinerarios=st.lists(itinerarios, max_size=2), id_cliente=st.uuids().map(str))

CAMPOS = [
    "id",
    "id_cliente",
    "estado",
    "fecha_creacion",
    "itinerarios",
    "odos",
    "segmentos",
    "legs",
    "origen",
    "codigo",
]
sueltos = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=30)
json_cualquiera: st.SearchStrategy[Any] = st.recursive(
    sueltos,
    lambda hijo: st.lists(hijo, max_size=3) | st.dictionaries(st.sampled_from(CAMPOS) | textos, hijo, max_size=5),
    max_leaves=20,
)


@given(reservas)
def test_lo_que_va_al_api_vuelve_igual(reserva: Reserva) -> None:
    assert reserva_de_json(cuerpo_de_creacion(reserva)) == reserva


@given(json_cualquiera)
def test_cualquier_json_es_una_reserva_con_id_o_una_respuesta_ininteligible(datos: Any) -> None:
    assert interpretar(datos)


def interpretar(datos: Any) -> str:
    try:
        return reserva_de_respuesta(datos).id
    except RespuestaIninteligible as error:
        return str(error)


def test_un_campo_desconocido_se_ignora_en_la_respuesta_y_se_rechaza_en_lo_propio() -> None:
    datos = {"id": "a", "de_otra_version": 1}

    assert reserva_de_respuesta(datos).id == "a"
    with pytest.raises(ValueError, match="de_otra_version"):
        reserva_de_json(datos)
